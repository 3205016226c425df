/** The signals of nginx's processes, with the numbers that its log lines show. */
import { constants } from "node:os";

/** What a master understands. */
export const MASTER_SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"] as const;
export type MasterSignal = (typeof MASTER_SIGNALS)[number];

export const SIGNAL_NUMBERS: Readonly<Record<string, number>> = constants.signals;
