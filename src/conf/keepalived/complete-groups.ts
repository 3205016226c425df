/** Sync groups: members that exist, each in one group only. keepalived: vrrp_sync_set_group, vrrp_complete_init. */
import { OWNER_PRIORITY, resolveTracks } from "./complete-instance.ts";
import type { SyncGroup, Track, Tracks, VrrpInstance } from "./config.ts";
import type { ConfigDraft, GroupDraft } from "./drafts.ts";
import { alertOf } from "./mail.ts";
import { completeNotifies } from "./notifies.ts";
import type { Report } from "./report.ts";

/** Groups that have members, and which instance is in which. */
export function completeGroups(
  config: ConfigDraft,
  instances: readonly VrrpInstance[],
  report: Report,
): { groups: readonly SyncGroup[]; groupOf: ReadonlyMap<string, string> } {
  const groupOf = new Map<string, string>();
  const groups: SyncGroup[] = [];
  for (const draft of config.groups) {
    const group = completeGroup(draft, config, instances, groupOf, report);
    if (group !== undefined) groups.push(group);
  }
  return { groups: Object.freeze(groups), groupOf };
}

/** The instances, those in groups with what this means for them. */
export function joinGroups(
  instances: readonly VrrpInstance[],
  groups: readonly SyncGroup[],
  groupOf: ReadonlyMap<string, string>,
  report: Report,
): readonly VrrpInstance[] {
  return Object.freeze(
    instances.map((instance) => {
      const group = groups.find(({ name }) => name === groupOf.get(instance.name));
      if (group === undefined) return instance;
      return Object.freeze({ ...instance, syncGroup: group.name, tracks: withoutTwice(instance, group, report) });
    }),
  );
}

function completeGroup(
  draft: GroupDraft,
  config: ConfigDraft,
  instances: readonly VrrpInstance[],
  groupOf: Map<string, string>,
  report: Report,
): SyncGroup | undefined {
  const { name } = draft;
  if (draft.members === undefined || draft.members.length === 0) {
    report("warn", `Sync group ${name} has no virtual router(s). removing`);
    return undefined;
  }
  const members: VrrpInstance[] = [];
  for (const wanted of draft.members) {
    const instance = instances.find((candidate) => candidate.name === wanted);
    if (instance === undefined)
      report("warn", `Virtual router ${wanted} specified in sync group ${name} doesn't exist - ignoring`);
    else if (groupOf.has(wanted))
      report("warn", `Virtual router ${wanted} cannot exist in more than one sync group; ignoring ${name}`);
    else {
      groupOf.set(wanted, name);
      members.push(instance);
    }
  }
  if (members.length === 0) {
    report("warn", `Sync group ${name}, no matching virtual router found in group declaration - removing`);
    return undefined;
  }
  if (members.length === 1)
    report("warn", `Sync group ${name} has only 1 virtual router(s) - this probably isn't what you want`);
  return Object.freeze({
    name,
    members: Object.freeze(members.map((member) => member.name)),
    tracks: groupTracks(draft, config, members, report),
    notifies: completeNotifies(draft),
    smtpAlert: alertOf(draft, config.globals),
    notifyPriorityChanges: draft.notifyPriorityChanges ?? config.globals.notifyPriorityChanges ?? false,
    trackingWeight: draft.trackingWeight ?? false,
    at: draft.at,
    where: draft.where,
  });
}

/** A weight can't lower the priority of an owner, so with one in the group it is cleared for all. */
function groupTracks(draft: GroupDraft, config: ConfigDraft, members: readonly VrrpInstance[], report: Report): Tracks {
  const tracks = resolveTracks(draft.tracks, config);
  if (!members.some(({ priority }) => priority === OWNER_PRIORITY)) return tracks;
  const clear = (list: readonly Track[], kind: string, outcome: string): readonly Track[] =>
    Object.freeze(
      list.map((track) => {
        if (track.weight === 0) return track;
        const subject = `Cannot have weighted track ${kind} '${track.name}' with member having priority ${OWNER_PRIORITY}`;
        report("warn", `(${draft.name}) ${subject} - ${outcome}`);
        return Object.freeze({ ...track, weight: 0 });
      }),
    );
  return Object.freeze({
    scripts: clear(tracks.scripts, "script", "clearing weight"),
    interfaces: clear(tracks.interfaces, "interface", "clearing weight"),
    processes: clear(tracks.processes, "process", "setting weight 0"),
    files: clear(tracks.files, "file", "setting weight 0"),
    bfds: clear(tracks.bfds, "bfd", "setting weight 0"),
    upstreams: clear(tracks.upstreams, "upstream", "clearing weight"),
  });
}

/** What the group tracks already is not tracked by a member again. */
function withoutTwice(instance: VrrpInstance, group: SyncGroup, report: Report): Tracks {
  const own = [instance.interface, ...instance.tracks.interfaces.map(({ name }) => name)];
  for (const { name } of group.tracks.interfaces) {
    if (!own.includes(name)) continue;
    const remedy = "Remove vrrp instance or sync group config";
    const subject = `track_interface ${name} is configured on VRRP instance and sync group`;
    report("warn", `(${instance.name}) ${subject}. ${remedy}`);
  }
  for (const { name } of group.tracks.bfds) {
    if (!instance.tracks.bfds.some((track) => track.name === name)) continue;
    const subject = `track_bfd ${name} is configured on VRRP instance and sync group`;
    report("info", `(${instance.name}) ${subject}. Remove vrrp instance config`);
  }
  const rest = (list: keyof Tracks): readonly Track[] =>
    Object.freeze(instance.tracks[list].filter((track) => !group.tracks[list].some(({ name }) => name === track.name)));
  return Object.freeze({
    scripts: rest("scripts"),
    interfaces: rest("interfaces"),
    processes: rest("processes"),
    files: rest("files"),
    bfds: rest("bfds"),
    upstreams: rest("upstreams"),
  });
}
