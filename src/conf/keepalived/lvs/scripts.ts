/** Programs that checkers and notifies run: who runs them, and whether they may be run. keepalived: check_check_script_security. */
import type { CommandDraft } from "../commands.ts";
import type { ConfigDraft } from "../drafts.ts";
import type { Machine } from "../machine.ts";
import type { Report } from "../report.ts";
import { printCommand } from "./checkers.ts";
import type { MiscCheckerDraft, RealServerDraft, VirtualServerDraft } from "./drafts.ts";

/** A command of a notify, and how to take it out. */
interface Notify {
  readonly command: CommandDraft;
  remove(): void;
}

function notifiesOf(server: VirtualServerDraft): Notify[] {
  const found: Notify[] = [];
  const add = (command: CommandDraft | undefined, remove: () => void): void => {
    if (command !== undefined) found.push({ command, remove });
  };
  add(server.quorumUp, () => delete server.quorumUp);
  add(server.quorumDown, () => delete server.quorumDown);
  for (const real of server.realServers) {
    add(real.notifyUp, () => delete real.notifyUp);
    add(real.notifyDown, () => delete real.notifyDown);
  }
  return found;
}

function miscOf(server: VirtualServerDraft): { readonly real: RealServerDraft; readonly misc: MiscCheckerDraft }[] {
  return server.realServers.flatMap((real) =>
    real.checkers.flatMap((misc) => (misc.kind === "MISC_CHECK" ? [{ real, misc }] : [])),
  );
}

function removeChecker(real: RealServerDraft, misc: MiscCheckerDraft): void {
  real.checkers.splice(real.checkers.indexOf(misc), 1);
}

/** Takes out what nobody can run: with script security somebody must be named, or `fallback` must exist; who is named must exist. */
export function dropScriptsWithoutUser(
  config: ConfigDraft,
  machine: Machine | undefined,
  fallback: string,
  report: Report,
): void {
  const { enableScriptSecurity, scriptUser } = config.globals;
  if (machine === undefined) return;
  const isMissing =
    scriptUser === undefined
      ? enableScriptSecurity === true && !machine.hasUser(fallback)
      : !machine.hasUser(scriptUser.user);
  // In the order of the file: keepalived says once only that there is nobody.
  const asked = config.virtualServers.flatMap((server) => [
    ...notifiesOf(server).map(({ command, remove }) => ({
      user: command.user,
      at: command.at,
      misc: undefined,
      remove,
    })),
    ...miscOf(server).map(({ real, misc }) => ({
      user: misc.user,
      at: misc.end,
      misc,
      remove: () => removeChecker(real, misc),
    })),
  ]);
  asked.sort((a, b) => (a.at.file === b.at.file ? a.at.line - b.at.line : 0));
  let isReported = false;
  for (const { user, at, misc, remove } of asked) {
    if (user !== undefined && machine.hasUser(user.user)) continue;
    if (user === undefined && !isMissing) continue;
    remove();
    if (user !== undefined) continue;
    if (scriptUser === undefined && !isReported)
      report("warn", `Unable to set default user ${fallback} for script`, at);
    isReported = true;
    if (misc === undefined) continue;
    const subject = printCommand(misc.command?.argv ?? []);
    report("warn", `Unable to set default user for misc script ${subject} - removing`, at);
  }
}

/** Takes out checkers whose program can't or mustn't run; true when something runs without script security. */
export function checkServerScripts(
  config: ConfigDraft,
  servers: readonly VirtualServerDraft[],
  machine: Machine | undefined,
  userOf: (user: CommandDraft["user"]) => string,
  report: Report,
): boolean {
  const isSecure = config.globals.enableScriptSecurity === true;
  const stateOf = ({ argv, user }: CommandDraft) => machine?.scriptState(argv[0] ?? "", userOf(user)) ?? "ok";
  let isAny = false;
  let isInsecure = false;
  for (const { real, misc } of servers.flatMap(miscOf)) {
    const state = stateOf({ ...(misc.command as CommandDraft), user: misc.user });
    const isForbidden = state === "insecure" && isSecure;
    const name = printCommand(misc.command?.argv ?? []);
    if (state === "missing") report("info", `Disabling misc script ${name} since not found/accessible`);
    if (isForbidden) report("info", `Disabling misc script ${name} due to insecure`);
    if (state !== "ok" && (state !== "insecure" || isForbidden)) removeChecker(real, misc);
    if (state === "missing" || isForbidden) continue;
    isAny = true;
    isInsecure ||= state === "insecure";
  }
  const { notifyFifo, notifyFifoScript, lvsNotifyFifo, lvsNotifyFifoScript } = config.globals;
  const isReader =
    (notifyFifo !== undefined && notifyFifoScript !== undefined) ||
    (lvsNotifyFifo !== undefined && lvsNotifyFifoScript !== undefined);
  isAny ||= isReader || servers.flatMap(notifiesOf).some(({ command }) => stateOf(command) !== "missing");
  if (!isAny || isSecure || servers.length === 0) return false;
  const message = "SECURITY VIOLATION - check scripts are being executed but script_security not enabled.";
  report("notice", `${message}${isInsecure ? " There are insecure scripts." : ""}`);
  return true;
}
