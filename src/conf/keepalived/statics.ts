/** `static_ipaddress`, `static_routes`, `static_rules` and `track_group`: what a node has from its start on, whoever is active. */
import { type AddressDraft, completeAddress, readAddress } from "./addresses.ts";
import type { Statics, VrrpInstance } from "./config.ts";
import type { ConfigDraft } from "./drafts.ts";
import type { Draft, Keywords } from "./interpreter.ts";
import type { Report } from "./report.ts";
import { readRoute } from "./routes.ts";
import { readRule } from "./rules.ts";
import { keyword } from "./slots.ts";
import type { TrackContext } from "./tracks.ts";

/** keepalived's `default_interface` when nobody says one. */
const DEFAULT_INTERFACE = "eth0";

/** `track_group`. */
export interface TrackGroupDraft extends Draft {
  readonly name: string;
  members: readonly string[] | undefined;
}

/** The keywords outside blocks. */
export function staticKeywords(context: TrackContext): Keywords<ConfigDraft> {
  return {
    static_ipaddress: keyword(
      {
        syntax: "{ ADDRESS[/LENGTH] [dev NAME] … [track_group NAME] [no_track] }",
        doc: "Addresses that are set at the start and stay until the end.",
      },
      (draft, _line, scope) => {
        scope.list((line) => {
          const address = readAddress(line, scope, context, context.config.trackGroups);
          if (address === undefined) return;
          const device = address.interface ?? draft.globals.defaultInterface ?? DEFAULT_INTERFACE;
          const isMissing = context.machine?.interfaceState(device) === "absent" && !context.isDynamic;
          if (address.interface === undefined && isMissing) {
            const text = line.words[0];
            const message = `Static address ${text} requires either an interface or default interface must exist`;
            scope.report("error", message, line.position);
          } else draft.staticAddresses.push({ ...address, interface: device });
        });
      },
    ),
    static_routes: keyword(
      {
        syntax: "{ [TYPE] DESTINATION [via ADDRESS] [dev NAME] … [track_group NAME] [no_track] }",
        doc: "Routes that are set at the start, in the words of `ip route`.",
      },
      (draft, _line, scope) => {
        scope.list((line) => {
          const route = readRoute(line, scope, context, true);
          if (route !== undefined) draft.staticRoutes.push(route);
        });
      },
    ),
    static_rules: keyword(
      {
        syntax: "{ [from NETWORK] … table TABLE [priority N] … [track_group NAME] [no_track] }",
        doc: "Rules that are set at the start, in the words of `ip rule`.",
      },
      (draft, _line, scope) => {
        scope.list((line) => {
          const rule = readRule(line, scope, context, true);
          if (rule !== undefined) draft.staticRules.push(rule);
        });
      },
    ),
    track_group: keyword(
      { syntax: "NAME { group { INSTANCE… } }", doc: "Instances that depend on the links of static items." },
      (draft, line, scope) => {
        const [, name, more] = line.words;
        const refuse = (message: string): void => {
          scope.report("warn", message, line.position);
          scope.skipBlock();
        };
        if (name === undefined || more !== undefined) return refuse("track_group must have a name - skipping");
        if (draft.trackGroups.some((group) => group.name === name))
          return refuse(`track_group ${name} already defined`);
        const group = { name, members: undefined, where: new Map() };
        draft.trackGroups.push(group);
        scope.block(trackGroupKeywords, group);
      },
      trackGroupKeywords as Keywords<never>,
    ),
  };
}

const trackGroupKeywords: Keywords<TrackGroupDraft> = {
  group: keyword({ syntax: "{ INSTANCE… }", doc: "Instances of the group." }, (draft, line, scope) => {
    if (draft.members !== undefined) {
      // keepalived reads on behind the brace, too.
      scope.report("warn", `Group list already specified for sync group ${draft.name}`, line.position);
      scope.skipBlock();
      return;
    }
    const members: string[] = [];
    const end = scope.list((item) => members.push(...item.words));
    if (members.length === 0) scope.report("warn", `Warning - track group ${draft.name} has empty group block`, end);
    draft.members = members;
  }),
};

/** The frozen form. */
export function completeStatics(draft: ConfigDraft, report: Report): Statics {
  return Object.freeze({
    addresses: Object.freeze(
      draft.staticAddresses.map((address) =>
        completeAddress(address, address.interface, (message) => report("warn", message, address.at)),
      ),
    ),
    routes: Object.freeze([...draft.staticRoutes]),
    rules: Object.freeze([...draft.staticRules]),
  });
}

/** Links that an instance depends on because of its own routes and rules, and of static items that its track groups name. */
export function linksOfItems(
  name: string,
  { routes, rules }: Pick<VrrpInstance, "routes" | "rules">,
  draft: ConfigDraft,
): readonly string[] {
  const isIn = (group: string | undefined): boolean =>
    draft.trackGroups.some((one) => one.name === group && one.members?.includes(name) === true);
  const own = [...routes.filter(({ noTrack }) => !noTrack), ...rules.filter(({ noTrack }) => !noTrack)];
  const statics = [...draft.staticRoutes, ...draft.staticRules].filter((item) => isIn(item.trackGroup));
  const links = [...own, ...statics.filter(({ noTrack }) => !noTrack)].map((item) =>
    "inputInterface" in item ? item.inputInterface : item.interface,
  );
  const addresses = draft.staticAddresses.filter(({ noTrack, trackGroup }) => !noTrack && isIn(trackGroup));
  const all = [...links, ...addresses.map((address: AddressDraft) => address.interface)];
  return Object.freeze([...new Set(all.filter((link) => link !== undefined))]);
}
