/** What the checker process and its supervisor say to each other over the IPC channel (structured clone: bytes and maps survive). */
import type { Level } from "../base/log.ts";
import type { KeepalivedConfig, ProcessSettings, ScriptUser } from "../conf/keepalived/config.ts";
import type { MailText } from "../io/mail.ts";
import type { ServiceDestination, ServiceSettings, ServiceTimeouts, VirtualServices } from "../io/virtual-services.ts";
import type { LvsConfig, LvsEvent } from "../lvs/ports.ts";
import type { LvsReport } from "../lvs/report.ts";
import type { Beat } from "./watchdog.ts";

export type ToCheckerProcess =
  | {
      readonly kind: "start";
      readonly config: LvsConfig;
      readonly process: ProcessSettings["checker"];
      readonly scriptUser: ScriptUser | undefined;
      /** What does the kernel's part; it is the supervisor's. */
      readonly method: VirtualServices["method"];
      /** Path of the network namespace that this happens in; undefined: the process' own. */
      readonly namespace: string | undefined;
      readonly files: ReadonlyMap<string, number | undefined>;
      /** BFD sessions that have said something. */
      readonly sessions: ReadonlyMap<string, boolean>;
      /** Real servers that a former process has left out of their pools, see LvsNode. */
      readonly suspects: ReadonlySet<string>;
      /** How often the supervisor wants to hear that the loop turns. */
      readonly beatMs: number;
    }
  | { readonly kind: "reload"; readonly config: LvsConfig; readonly scriptUser: ScriptUser | undefined }
  | { readonly kind: "file"; readonly name: string; readonly value: number | undefined }
  | { readonly kind: "session"; readonly name: string; readonly isUp: boolean }
  | { readonly kind: "report"; readonly id: number }
  | { readonly kind: "stop" };

export type FromCheckerProcess =
  | { readonly kind: "ready" }
  | Beat
  | { readonly kind: "log"; readonly level: Level; readonly text: string }
  | { readonly kind: "notify"; readonly event: LvsEvent }
  | { readonly kind: "mail"; readonly text: MailText }
  | {
      readonly kind: "set";
      readonly settings: ServiceSettings;
      readonly destinations: readonly ServiceDestination[];
    }
  | { readonly kind: "remove"; readonly name: string }
  | { readonly kind: "timeouts"; readonly timeouts: ServiceTimeouts }
  | { readonly kind: "flush" }
  | { readonly kind: "report"; readonly id: number; readonly report: LvsReport };

/** The part of a configuration that the checker process is given. */
export function lvsConfig({ virtualServers, globals }: KeepalivedConfig): LvsConfig {
  return { virtualServers, globals: { lvs: globals.lvs } };
}
