/** Keywords of `vrrp_sync_group`. */
import type { GroupDraft } from "./drafts.ts";
import type { Keywords } from "./interpreter.ts";
import { notifyKeywords } from "./notifies.ts";
import { keyword, slotsOf } from "./slots.ts";
import { type TrackContext, trackKeywords } from "./tracks.ts";

const slots = slotsOf<GroupDraft>();

/** All keywords of `vrrp_sync_group`. */
export function groupKeywords(context: TrackContext): Keywords<GroupDraft> {
  return {
    group: keyword({ syntax: "{ INSTANCE… }", doc: "Instances that change state together." }, (draft, line, scope) => {
      if (draft.members !== undefined) {
        const message = `Group list already specified for sync group ${draft.name}`;
        scope.report("warn", message, line.position);
        scope.skipBlock();
        return;
      }
      const members: string[] = [];
      const end = scope.list((item) => members.push(...item.words));
      if (members.length === 0) scope.report("warn", `Warning - sync group ${draft.name} has empty group block`, end);
      draft.members = members;
    }),
    ...trackKeywords<GroupDraft>(context),
    ...notifyKeywords<GroupDraft>(
      ({ name }) => `vrrp group ${name}:`,
      (text) => `Invalid vrrp_group smtp_alert parameter ${text}`,
      (text, { name }) => `(${name}) Invalid value '${text}' for sync group notify_priority_changes specified`,
    ),
    sync_group_tracking_weight: slots.flag("trackingWeight", {
      doc: "Members keep the weights of what they track, though they differ.",
    }),
    global_tracking: keyword({ doc: "Deprecated: track on the group itself." }, (draft, line, scope) => {
      const message = `(${draft.name}) global_tracking is deprecated. Use track_interface/script/file on the sync group`;
      scope.report("warn", message, line.position);
    }),
  };
}
