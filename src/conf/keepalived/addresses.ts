/** Lines of `virtual_ipaddress`: an address and the options of `ip address`. keepalived: vrrp_ipaddress.c. */
import { type IpAddress, parseIp } from "../../base/ip.ts";
import type { Position } from "../diagnostics.ts";
import type { VirtualAddress } from "./config.ts";
import type { Interpreter, Line } from "./interpreter.ts";
import type { Machine } from "./machine.ts";
import { readInteger } from "./numbers.ts";
import type { TrackContext } from "./tracks.ts";

/** An address while its instance is still being read: the interface may come later. */
export type AddressDraft = Omit<VirtualAddress, "broadcast" | "at"> & {
  readonly at: Position;
  /** It asks for a link of its own. */
  readonly useVmac: boolean;
  /** `track_group`, of a static address. */
  readonly trackGroup: string | undefined;
  readonly broadcast: IpAddress | "+" | "-" | undefined;
  readonly text: string;
};

/** rtnetlink's scope numbers by the names of iproute2. */
const SCOPES: Readonly<Record<string, number>> = { nowhere: 255, host: 254, link: 253, site: 200, global: 0 };
/** IFNAMSIZ without its zero. */
const MAX_LABEL = 15;

interface Options {
  interface?: string;
  broadcast?: IpAddress | "+" | "-";
  scope?: number;
  label?: string;
  peer?: IpAddress;
  home?: boolean;
  noDad?: boolean;
  manageTemporary?: boolean;
  noPrefixRoute?: boolean;
  autoJoin?: boolean;
  noTrack?: boolean;
  preferredLifetimeS?: number;
  isForEver?: boolean;
  useVmac?: boolean;
  trackGroup?: string;
}

const FLAGS: Readonly<
  Record<
    string,
    keyof Options & ("home" | "noDad" | "manageTemporary" | "noPrefixRoute" | "autoJoin" | "noTrack" | "useVmac")
  >
> = {
  home: "home",
  "-nodad": "noDad",
  nodad: "noDad",
  mngtmpaddr: "manageTemporary",
  noprefixroute: "noPrefixRoute",
  autojoin: "autoJoin",
  no_track: "noTrack",
  use_vmac: "useVmac",
};

/** Reads one line; undefined when the address is not to be used, which has then been reported. */
export function readAddress(
  line: Line,
  scope: Interpreter,
  { machine, isDynamic }: Pick<TrackContext, "machine" | "isDynamic">,
  trackGroups?: readonly { readonly name: string }[],
): AddressDraft | undefined {
  const [text = "", ...words] = line.words;
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  const address = parseIp(host);
  if (address === undefined) {
    scope.report("warn", `VRRP parsed invalid IP ${text}. skipping IP...`, line.position);
    return undefined;
  }
  const isV6 = address.length === 16;
  const prefix = slash < 0 ? undefined : readPrefix(text, text.slice(slash + 1), address, line, scope);
  const reader = new OptionReader(line, scope, { text, host, address, machine, isDynamic, trackGroups });
  const options = reader.read(words);
  if (options === undefined) return undefined;
  const { preferredLifetimeS, isForEver } = options;
  // A /128 is a second address for the kernel, which must not choose it as a source: deprecated at once.
  const isDeprecated = isV6 && (prefix ?? 128) === 128 && isForEver !== true;
  return {
    text: host,
    address,
    prefixLength: prefix ?? address.length * 8,
    interface: options.interface,
    broadcast: options.broadcast,
    scope: options.scope ?? 0,
    label: options.label,
    peer: options.peer,
    home: options.home ?? false,
    noDad: options.noDad ?? false,
    manageTemporary: options.manageTemporary ?? false,
    noPrefixRoute: options.noPrefixRoute ?? false,
    autoJoin: options.autoJoin ?? false,
    noTrack: options.noTrack ?? false,
    useVmac: options.useVmac ?? false,
    trackGroup: options.trackGroup,
    preferredLifetimeS: preferredLifetimeS ?? (isDeprecated ? 0 : undefined),
    at: line.position,
  };
}

function readPrefix(
  text: string,
  prefix: string,
  address: IpAddress,
  line: Line,
  scope: Interpreter,
): number | undefined {
  const max = address.length * 8;
  const read = readInteger(prefix, 0, max);
  // keepalived takes /0 as none.
  if (read.ok) return read.value === 0 ? undefined : read.value;
  scope.report("warn", read.reason, line.position);
  scope.report("warn", `Invalid address prefix len ${prefix} for address ${text} - using ${max}`, line.position);
  return undefined;
}

interface Subject {
  readonly text: string;
  readonly host: string;
  readonly address: IpAddress;
  readonly machine: Machine | undefined;
  readonly isDynamic: boolean;
  /** Of a static address: those that it may name. */
  readonly trackGroups: readonly { readonly name: string }[] | undefined;
}

/** The options behind one address. */
class OptionReader {
  readonly #line: Line;
  readonly #scope: Interpreter;
  readonly #subject: Subject;
  readonly #options: Options = {};

  constructor(line: Line, scope: Interpreter, subject: Subject) {
    this.#line = line;
    this.#scope = scope;
    this.#subject = subject;
  }

  /** undefined: the address is not to be used. */
  read(words: readonly string[]): Options | undefined {
    for (let at = 0; at < words.length; at++) {
      const word = words[at] as string;
      const { trackGroups } = this.#subject;
      const flag = trackGroups !== undefined && word === "use_vmac" ? undefined : FLAGS[word];
      if (trackGroups !== undefined && word === "track_group") {
        this.#trackGroup(words[++at], trackGroups);
      } else if (flag !== undefined) this.#options[flag] = true;
      else if (!TAKES_VALUE.has(word)) this.#unknown(word);
      else if (words[at + 1] === undefined) this.#warn(`No ${word} parameter specified for ${this.#subject.host}`);
      else {
        const outcome = this.#valued(word, words[at + 1] as string);
        if (outcome === "drop") return undefined;
        if (outcome === "used") at++;
      }
    }
    const { broadcast, peer } = this.#options;
    if (broadcast !== undefined && peer !== undefined) {
      this.#warn("Cannot specify broadcast and peer addresses - ignoring broadcast address");
      delete this.#options.broadcast;
    }
    return this.#options;
  }

  #trackGroup(name: string | undefined, known: readonly { readonly name: string }[]): void {
    if (name === undefined) this.#warn(`No track_group parameter specified for ${this.#subject.host}`);
    else if (this.#options.trackGroup !== undefined) this.#warn(`track_group ${name} is a duplicate`);
    else if (known.some((group) => group.name === name)) this.#options.trackGroup = name;
    else this.#warn(`track_group ${name} not found`);
  }

  #valued(word: string, value: string): "used" | "unused" | "drop" {
    switch (word) {
      case "dev":
        return this.#device(value);
      case "scope":
        this.#setScope(value);
        return "used";
      case "brd":
      case "broadcast":
        return this.#broadcast(word, value);
      case "label":
        return this.#label(value);
      case "peer":
        return this.#peer(value);
      default:
        this.#preferredLifetime(value);
        return "used";
    }
  }

  #device(value: string): "used" | "drop" {
    const { host, machine, text } = this.#subject;
    if (this.#options.interface !== undefined) {
      this.#warn(`Cannot specify ipaddress device more than once for ${host}`);
      return "drop";
    }
    if (!this.#subject.isDynamic && machine?.interfaceState(value) === "absent")
      this.#warn(`WARNING - interface ${value} for ip address ${text} doesn't exist`);
    this.#options.interface = value;
    return "used";
  }

  #setScope(value: string): void {
    const { host, address } = this.#subject;
    if (address.length === 16) {
      this.#warn(`Cannot specify scope for IPv6 addresses (${host}) - ignoring scope`);
      return;
    }
    const number = readInteger(value, 0, 255);
    const scope = SCOPES[value] ?? (number.ok ? number.value : undefined);
    if (scope === undefined) this.#warn(`Invalid scope '${value}' specified for ${host} - ignoring`);
    else this.#options.scope = scope;
  }

  #broadcast(word: string, value: string): "used" | "drop" {
    const { host, address } = this.#subject;
    if (address.length === 16) {
      this.#warn(
        `VRRP is trying to assign a broadcast ${word} to the IPv6 address ${host} !!?? WTF... skipping VIP...`,
      );
      return "drop";
    }
    const broadcast = value === "+" || value === "-" ? value : parseIp(value);
    if (broadcast === undefined || (typeof broadcast !== "string" && broadcast.length !== 4)) {
      this.#warn(`VRRP is trying to assign invalid broadcast ${value}. skipping VIP...`);
      return "drop";
    }
    this.#options.broadcast = broadcast;
    return "used";
  }

  #label(value: string): "used" | "drop" {
    const { host, address } = this.#subject;
    if (address.length === 16) this.#warn(`Cannot specify label for IPv6 addresses (${host}) - ignoring label`);
    else if (value.length > MAX_LABEL) {
      this.#warn(`Address label ${value} is longer than maximum length ${MAX_LABEL} - removing address`);
      return "drop";
    } else this.#options.label = value;
    return "used";
  }

  #peer(value: string): "used" | "unused" {
    if (this.#options.peer !== undefined) {
      this.#warn(`Peer ${value} - another peer has already been specified`);
      return "unused";
    }
    const peer = parseIp(value);
    if (peer === undefined) {
      this.#warn(`VRRP parsed invalid IP ${value}. skipping IP...`);
      this.#warn(`Invalid peer address ${value}`);
    } else if (peer.length !== this.#subject.address.length) {
      this.#warn(`Peer address ${value} does not match address family`);
    } else this.#options.peer = peer;
    return "used";
  }

  #preferredLifetime(value: string): void {
    if (value === "forever") {
      this.#options.isForEver = true;
      return;
    }
    const read = readInteger(value, 0, 0xffff_fffe);
    if (read.ok) this.#options.preferredLifetimeS = read.value;
    else this.#warn(read.reason);
  }

  #unknown(word: string): void {
    this.#warn(`Unknown configuration entry '${word}' for ip address - ignoring`);
  }

  #warn(message: string): void {
    this.#scope.report("warn", message, this.#line.position);
  }
}
const TAKES_VALUE: ReadonlySet<string> = new Set([
  "dev",
  "scope",
  "brd",
  "broadcast",
  "label",
  "peer",
  "preferred_lft",
]);

/** `brd +` and `brd -` computed from the prefix; undefined and a message where there is no room for a broadcast. */
export function completeAddress(
  draft: AddressDraft,
  device: string | undefined,
  warn: (message: string) => void,
): VirtualAddress {
  const { text: _, useVmac: __, trackGroup: ___, ...address } = draft;
  let broadcast: IpAddress | undefined;
  if (draft.broadcast === "+" || draft.broadcast === "-") {
    if (draft.prefixLength > 30) warn(`Address prefix length ${draft.prefixLength} too long for broadcast`);
    else broadcast = broadcastOf(draft.address, draft.prefixLength, draft.broadcast === "+");
  } else broadcast = draft.broadcast;
  return Object.freeze({ ...address, broadcast, interface: device });
}

/** The address with all host bits set or cleared. */
function broadcastOf(address: IpAddress, prefixLength: number, isSet: boolean): IpAddress {
  return address.map((octet, index) => {
    const hostBits = Math.min(8, Math.max(0, (index + 1) * 8 - prefixLength));
    const mask = (1 << hostBits) - 1;
    return isSet ? octet | mask : octet & ~mask;
  });
}
