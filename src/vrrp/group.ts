/** Sync groups: routers that change role together. keepalived's counterpart: vrrp_sync.c. Pure decisions; node.ts carries them out. */
import type { Role } from "./state.ts";

/** What a group looks at in its members. */
export interface Member {
  readonly name: string;
  readonly role: Role;
  /** Its down timer has expired and nothing was heard since. */
  readonly isAsking: boolean;
  /** What is wrong with the member itself. */
  readonly faults: readonly string[];
}

/** The group's role: fault if any member is, active only if all are. */
export function groupRole(members: readonly Member[]): Role {
  if (members.some(({ role }) => role === "fault")) return "fault";
  if (members.some(({ role }) => role === "init")) return "init";
  return members.every(({ role }) => role === "active") ? "active" : "backup";
}

/** True when the members may take over: each of them has heard nobody, so that the group is not torn apart. */
export function mayTakeOver(members: readonly Member[]): boolean {
  return members.every(({ role, isAsking }) => role === "active" || (role === "backup" && isAsking));
}

/** The faults that the other members give to this one. */
export function faultsOfOthers(members: readonly Member[], name: string, group: string): string[] {
  const broken = members.find((member) => member.name !== name && member.faults.length > 0);
  return broken === undefined ? [] : [`sync group ${group}: ${broken.name} is in fault`];
}
