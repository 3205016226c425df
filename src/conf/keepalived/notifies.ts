/** Keywords that say what is run on a change of state, for instances and sync groups. */
import { type CommandDraft, command, freezeCommand, runnable } from "./commands.ts";
import type { Notifies } from "./config.ts";
import type { NotifyDraft } from "./drafts.ts";
import type { Draft, Keyword, Keywords } from "./interpreter.ts";
import { readAlert } from "./mail.ts";
import { readBoolean } from "./numbers.ts";
import { keyword } from "./slots.ts";

/** A draft with a name and commands. */
interface NotifyingDraft extends Draft, NotifyDraft {
  readonly name: string;
}

/** What both kinds of block know. `subject` is how keepalived names the block in a complaint. */
export function notifyKeywords<D extends NotifyingDraft>(
  subject: (draft: D) => string,
  mailInvalid: (text: string) => string,
  priorityInvalid: (text: string, draft: D) => string,
): Keywords<D> {
  const on = (
    key: "notifyMaster" | "notifyBackup" | "notifyFault" | "notifyStop" | "notifyAny",
    name: string,
    doc: string,
  ) =>
    command<NotifyingDraft>(key, {
      doc,
      already: (text, draft) => `${subject(draft as D)} ${name} script already specified - ignoring ${text}`,
    }) as Keyword<D>;
  return {
    notify_master: on("notifyMaster", "notify_master", "Run when this becomes the active router."),
    notify_backup: on("notifyBackup", "notify_backup", "Run when this becomes a backup."),
    notify_fault: on("notifyFault", "notify_fault", "Run when this can't take part any more."),
    notify_stop: on("notifyStop", "notify_stop", "Run when this is stopped."),
    notify: on("notifyAny", "notify", "Run on every change, with INSTANCE or GROUP, name, state and priority."),
    notify_priority_changes: keyword(
      { syntax: "[on|off]", default: "vrrp_notify_priority_changes", doc: "Changes of priority go to the pipes, too." },
      (draft, line, scope) => {
        const text = line.words[1];
        const value = text === undefined ? true : readBoolean(text);
        if (value === undefined) scope.report("warn", priorityInvalid(text as string, draft), line.position);
        else draft.notifyPriorityChanges = value;
      },
    ),
    smtp_alert: keyword(
      {
        syntax: "[on|off]",
        default: "smtp_alert_vrrp, else smtp_alert of global_defs",
        doc: "Mail on every change of state.",
      },
      (draft, line, scope) => readAlert(draft, line, scope, mailInvalid),
    ),
  };
}

/** What only an instance knows. */
export const instanceNotifyKeywords: Keywords<NotifyingDraft> = {
  notify_deleted: keyword(
    { syntax: "[COMMAND [USER [GROUP]]]", doc: "Run instead of notify_fault when a reload removes the instance." },
    (draft, line, scope) => {
      if (draft.notifyDeleted !== undefined) {
        const message = `(${draft.name}) notify_deleted already specified - ignoring ${line.words[1] ?? ""}`;
        scope.report("warn", message, line.position);
        return;
      }
      const found = line.words.length < 2 ? undefined : runnable(line, scope);
      draft.notifyDeleted = found === undefined || found === "nobody" ? true : found;
    },
  ),
  notify_master_rx_lower_pri: command<NotifyingDraft>("notifyMasterRxLowerPriority", {
    doc: "Run when the active router hears an advert of lower priority.",
    already: (text, { name }) => `(${name}) notify_master_rx_lower_pri script already specified - ignoring ${text}`,
  }),
};

/** The keys that hold commands. */
const COMMANDS = [
  "notifyMaster",
  "notifyBackup",
  "notifyFault",
  "notifyStop",
  "notifyAny",
  "notifyMasterRxLowerPriority",
] as const;

/** The frozen form. */
export function completeNotifies(draft: NotifyDraft): Notifies {
  const freeze = (command: CommandDraft | undefined) => (command === undefined ? undefined : freezeCommand(command));
  const deleted = draft.notifyDeleted ?? false;
  return Object.freeze({
    master: freeze(draft.notifyMaster),
    backup: freeze(draft.notifyBackup),
    fault: freeze(draft.notifyFault),
    stop: freeze(draft.notifyStop),
    deleted: typeof deleted === "boolean" ? deleted : freezeCommand(deleted),
    any: freeze(draft.notifyAny),
    masterRxLowerPriority: freeze(draft.notifyMasterRxLowerPriority),
  });
}

/** All commands of a block, for the checks that concern every script. */
export function commandsOf(draft: NotifyDraft): CommandDraft[] {
  const { notifyDeleted } = draft;
  const commands = [...COMMANDS.map((key) => draft[key]), notifyDeleted === true ? undefined : notifyDeleted];
  return commands.filter((command) => command !== undefined);
}
