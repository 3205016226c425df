/** What a session runs through, built once from the configuration: a server with its phases, and the point that it listens on. */
import type { Log } from "../base/log.ts";
import type { ServerNames } from "../net/server-names.ts";
import type { ServerConf } from "./modules/core.ts";
import type { Session } from "./session.ts";

/** The phases that have handlers, in their order. nginx: ngx_stream_phases (its ssl phase has none yet; content and log are the server's own). */
export const PHASES = ["postAccept", "preaccess", "access", "preread"] as const;
export type Phase = (typeof PHASES)[number];
export const PREREAD = PHASES.indexOf("preread");

/** Says what becomes of the session: see `outcome.ts`. */
export type Handler = (session: Session) => number;

export interface Server {
  /** Its first name, `$server_name`; "" without. */
  readonly name: string;
  readonly conf: ServerConf;
  readonly log: Log;
  /** By phase, in the order in which they are asked. */
  readonly phases: readonly (readonly Handler[])[];
  /** Takes the session over; undefined when nothing says what to do with one. */
  readonly content: ((session: Session) => void) | undefined;
  readonly logHandlers: readonly ((session: Session) => void)[];
}

/** An address that is listened on. */
export interface ListeningPoint {
  /** As the configuration has it: `127.0.0.1:8080`. */
  readonly name: string;
  readonly defaultServer: Server;
  /** Servers by their names; undefined when there is one only, whose names are of no interest. */
  readonly names: ServerNames<Session, Server> | undefined;
  readonly proxyProtocol: boolean;
}
