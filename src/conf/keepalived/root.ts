/** Keywords outside any block: the blocks themselves, and a few settings of the whole program. */
import type { ConfigReader } from "../nginx/load.ts";
import { bfdKeywords, readBfd } from "./bfd.ts";
import { DEFAULT_SCRIPT_USER } from "./complete.ts";
import type { BlockDraft, ConfigDraft, GlobalsDraft, InstanceDraft, ScriptDraft } from "./drafts.ts";
import { newConfig, newTracks } from "./drafts.ts";
import { garpGroup } from "./garp-group.ts";
import { globalKeywords } from "./globals.ts";
import { groupKeywords } from "./group.ts";
import { instanceKeywords } from "./instance.ts";
import type { Documented, Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import { linkDelays } from "./link-delays.ts";
import { serverBlocks } from "./lvs/blocks.ts";
import type { Machine } from "./machine.ts";
import { allWithoutEffect, keyword, number } from "./slots.ts";
import { staticKeywords } from "./statics.ts";
import { fileKeywords, processKeywords, scriptKeywords } from "./tracked.ts";

/** What the blocks need to know of each other. */
export interface RootContext {
  readonly config: ConfigDraft;
  readonly machine: Machine | undefined;
  /** The globals, also those that stand behind the block. */
  readonly globals: GlobalsDraft;
  readonly reader: ConfigReader | undefined;
}

/** All keywords outside blocks. */
export function rootKeywords(context: RootContext): Keywords<ConfigDraft> {
  const { config, machine, globals, reader } = context;
  const tracking = { config, machine, isDynamic: globals.dynamicInterfaces === true, reader };
  const globalTable = globalKeywords(machine);
  const instanceTable = instanceKeywords(tracking);
  const groupTable = groupKeywords(tracking);
  return {
    ...general,
    ...staticKeywords(tracking),
    interface_up_down_delays: linkDelays(tracking),
    garp_group: garpGroup(tracking),
    global_defs: keyword(
      { syntax: "{ … }", doc: "Settings of the whole program, and defaults of all instances." },
      (draft, _line, scope) => {
        scope.block(globalTable, draft.globals);
      },
      globalTable as Keywords<never>,
    ),
    vrrp_script: keyword(
      { syntax: "NAME { … }", doc: "A program that says whether this node is fit." },
      (_draft, line, scope) => readScript(line, scope, context),
      scriptKeywords as Keywords<never>,
    ),
    vrrp_track_process: keyword(
      { syntax: "NAME { … }", doc: "Processes that must run." },
      (draft, line, scope) => {
        const block = begin(line, scope);
        if (block === undefined) return;
        const end = scope.block(processKeywords, block);
        const process = block as (typeof draft.processes)[number];
        if (process.process !== undefined) draft.processes.push(process);
        else scope.report("warn", `track process '${block.name}' process name not specified`, end);
      },
      processKeywords as Keywords<never>,
    ),
    track_file: trackFile("A number in a file that is added to the priority."),
    vrrp_track_file: trackFile("Old spelling of track_file."),
    bfd_instance: keyword(
      { syntax: "NAME { … }", doc: "A BFD session with one neighbour, for track_bfd." },
      (draft, line, scope) => readBfd(draft, line, scope),
      bfdKeywords as Keywords<never>,
    ),
    vrrp_sync_group: keyword(
      { syntax: "NAME { … }", doc: "Instances that change state together." },
      (draft, line, scope) => {
        const [, name] = line.words;
        const refuse = (message: string): void => {
          scope.report("warn", message, line.position);
          scope.skipBlock();
        };
        if (name === undefined || line.words.length > 2) return refuse("vrrp_sync_group must have a name - skipping");
        if (draft.groups.some((known) => known.name === name)) return refuse(`vrrp sync group ${name} already defined`);
        const group = { name, at: line.position, where: new Map(), tracks: newTracks() };
        scope.block(groupTable, group);
        draft.groups.push(group);
      },
      groupTable as Keywords<never>,
    ),
    vrrp_instance: keyword(
      { syntax: "NAME { … }", doc: "One virtual router on one interface." },
      (draft, line, scope) => {
        const [, name] = line.words;
        const refuse = (message: string): void => {
          scope.report("warn", message, line.position);
          scope.skipBlock();
        };
        if (name === undefined || line.words.length > 2) return refuse("vrrp_instance must have a name");
        if (draft.instances.some((known) => known.name === name))
          return refuse(`vrrp instance ${name} already defined`);
        const instance: InstanceDraft = {
          name,
          at: line.position,
          where: new Map(),
          tracks: newTracks(),
          unicastPeers: [],
          addresses: [],
          excludedAddresses: [],
          routes: [],
          rules: [],
        };
        const end = scope.block(instanceTable, instance);
        if (instance.unicastTtl !== undefined && instance.unicastPeers.length === 0)
          scope.report("warn", `(${name}): Cannot use unicast_ttl without unicast peers - resetting`, end);
        if (instance.vmac !== undefined && instance.unicastPeers.length > 0 && instance.sendsFromBase !== true) {
          scope.report("warn", `(${name}) unicast with use_vmac requires vmac_xmit_base - setting`, end);
          instance.sendsFromBase = true;
        }
        draft.instances.push(instance);
      },
      instanceTable as Keywords<never>,
    ),
    ...serverBlocks(context),
  };
}

/** A block whose name must be there. */
function begin(line: Line, scope: Interpreter): BlockDraft | undefined {
  const name = scope.word(line, 1);
  return name === undefined ? undefined : { name, at: line.position, where: new Map() };
}

function trackFile(doc: string): Keyword<ConfigDraft> {
  return keyword(
    { syntax: "NAME { … }", doc },
    (draft, line, scope) => {
      const block = begin(line, scope);
      if (block === undefined) return;
      const end = scope.block(fileKeywords, block);
      const file = block as (typeof draft.files)[number];
      if (file.path !== undefined) draft.files.push(file);
      else scope.report("warn", `No file set for track_file ${block.name} - ignoring`, end);
    },
    fileKeywords as Keywords<never>,
  );
}

function readScript(line: Line, scope: Interpreter, { config, machine, globals }: RootContext): void {
  const name = scope.word(line, 1);
  if (name === undefined) return;
  const draft: ScriptDraft = { name, at: line.position, where: new Map(), end: line.position };
  draft.end = scope.block(scriptKeywords, draft);
  const warn = (message: string, position = draft.end): void => scope.report("warn", message, position);
  if (draft.command === undefined) {
    warn(`No script set for vrrp_script ${name} - removing`);
    return;
  }
  if (machine !== undefined && draft.user !== undefined) {
    const { user, group } = draft.user;
    if (!machine.hasUser(user) || (group !== undefined && !machine.hasGroup(group))) {
      warn(`Unable to set uid/gid for script '${draft.command.argv.join(" ")}'`, draft.where.get("user"));
      return;
    }
  } else if (machine !== undefined) {
    const standard = globals.scriptUser?.user;
    const isMissing =
      standard === undefined
        ? globals.enableScriptSecurity === true && !machine.hasUser(DEFAULT_SCRIPT_USER)
        : !machine.hasUser(standard);
    if (isMissing) {
      if (standard === undefined && config.isMissingUserReported !== true)
        warn(`Unable to set default user ${DEFAULT_SCRIPT_USER} for script`);
      config.isMissingUserReported = true;
      warn(`Unable to set default user for vrrp script ${name} - removing`);
      return;
    }
  }
  config.scripts.push(draft);
}

const general: Keywords<ConfigDraft> = {
  instance: keyword(
    { syntax: "NAME", doc: "Name of this instance of the program, for pid files and the system log." },
    ({ globals }, line, scope) => {
      const name = line.words[1];
      const warn = (message: string): void => scope.report("warn", message, line.position);
      if (name === undefined) warn("instance name missing - ignoring");
      else if (globals.instanceName !== undefined) warn(`Duplicate instance definition ${name} - ignoring`);
      else globals.instanceName = name;
    },
  ),
  use_pid_dir: keyword({ doc: "Pid files are in /run/keepalived, unless -p, -r and -c say where." }, ({ globals }) => {
    globals.usesPidFolder = true;
  }),
  net_namespace: keyword(
    {
      syntax: "NAME",
      doc: "The network namespace that the program enters, of those in /run/netns; a reload changes nothing of it.",
    },
    ({ globals }, line, scope) => {
      const name = line.words[1];
      if (name === undefined) scope.report("warn", "net_namespace name missing - ignoring", line.position);
      else if (globals.netNamespace !== undefined)
        scope.report("notice", `Duplicate net_namespace definition ${name} - ignoring`, line.position);
      else globals.netNamespace = name;
    },
  ),
  net_namespace_ipvs: keyword(
    {
      syntax: "[NAME]",
      default: "as net_namespace",
      doc: "The network namespace that virtual servers are set up in; bare: the one that the program was started in.",
    },
    ({ globals }, line, scope) => {
      const name = line.words[1];
      if (globals.netNamespaceIpvs === undefined) globals.netNamespaceIpvs = { name };
      else {
        const message = `Duplicate net_namespace_ipvs definition ${name ?? "(default)"} - ignoring`;
        scope.report("warn", message, line.position);
      }
    },
  ),
  child_wait_time: keyword(
    { syntax: "0…4294", default: "5", doc: "Seconds to wait for processes that end." },
    ({ globals }, line, scope) => {
      const about = { min: 0, max: 4294, invalid: (text: string) => `Invalid child_wait_time ${text}` };
      const value = number(line, scope, about, globals);
      if (value !== undefined) globals.childWaitMs = value * 1000;
    },
  ),
  ...allWithoutEffect("Tandem watches links through netlink", ["linkbeat_use_polling", "linkbeat_interfaces"]),
  ...allWithoutEffect("it concerns ipsets", ["namespace_with_ipsets"]),
};

/** Every keyword with its documentation, for the reference pages. */
export function keywordReference(): Readonly<Record<string, Documented>> {
  const config = newConfig();
  return rootKeywords({ config, machine: undefined, globals: config.globals, reader: undefined });
}
