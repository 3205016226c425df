/** A line of options, read from left to right, with keepalived's words for what is wrong. For routes and rules. */
import { type IpAddress, parseIp } from "../../base/ip.ts";
import type { IpNetwork } from "../../base/ip-route.ts";
import type { Interpreter, Line } from "./interpreter.ts";
import type { IprouteNames, NameFile } from "./iproute-names.ts";
import { readInteger } from "./numbers.ts";
import type { TrackContext } from "./tracks.ts";

const MAX_U32 = 0xffff_ffff;

/** The line is of no use; what is wrong with it has been said. */
export class BadLine extends Error {}

export class OptionLine {
  readonly line: Line;
  readonly #scope: Interpreter;
  readonly #context: TrackContext;
  readonly names: IprouteNames;
  #at = 0;
  family: 4 | 6 | undefined;

  constructor(line: Line, scope: Interpreter, context: TrackContext, names: IprouteNames) {
    this.line = line;
    this.#scope = scope;
    this.#context = context;
    this.names = names;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.line.words.length;
  }

  /** The word that `next` will give. */
  get peeked(): string | undefined {
    return this.line.words[this.#at];
  }

  /** A word that has to be there: when it is not, reading the configuration ends. */
  next(): string {
    const word = this.#scope.word(this.line, this.#at++);
    if (word === undefined) throw new BadLine();
    return word;
  }

  /** True when the next word is this one, which is then used up. */
  takes(word: string): boolean {
    if (this.peeked !== word) return false;
    this.#at++;
    return true;
  }

  warn(message: string): void {
    this.#scope.report("warn", message, this.line.position);
  }

  fail(message: string): never {
    this.warn(message);
    throw new BadLine();
  }

  refuse(message: string): never {
    this.#scope.report("error", message, this.line.position);
    throw new BadLine();
  }

  /** A number of the next word. */
  number(max: number, invalid: (text: string) => string): number {
    const text = this.next();
    const read = readInteger(text, 0, max);
    if (read.ok) return read.value;
    const isU32 = max === MAX_U32 && read.reason.startsWith("number");
    this.warn(isU32 ? `number '${text}' outside unsigned integer range` : read.reason);
    this.fail(invalid(text));
  }

  /** A number or name of one of iproute2's files. */
  named(file: NameFile, invalid: (text: string) => string): number {
    const text = this.next();
    return this.names.number(file, text) ?? this.fail(invalid(text));
  }

  /** `A` or `A/B`. */
  realms(invalid: (text: string) => string): number {
    const text = this.next();
    const [first = "", second] = text.split("/");
    const low = this.names.number("rt_realms", first);
    const high = second === undefined ? 0 : this.names.number("rt_realms", second);
    if (low === undefined || high === undefined) this.fail(invalid(text));
    return second === undefined ? low : ((low << 16) | high) >>> 0;
  }

  /** An address without prefix. */
  address(text: string, invalid: (text: string) => string): IpAddress {
    const address = parseIp(text);
    if (address !== undefined) return address;
    this.warn(`VRRP parsed invalid IP ${text}. skipping IP...`);
    this.fail(invalid(text));
  }

  /** `default`, `any`, `all`, or an address with a prefix. */
  network(text: string, invalid: (text: string) => string): IpNetwork & { readonly family: 4 | 6 | undefined } {
    if (text === "default" || text === "any" || text === "all")
      return { address: undefined, prefixLength: 0, family: undefined };
    if (text === "default6") return { address: undefined, prefixLength: 0, family: 6 };
    const [host = "", prefix] = text.split("/");
    const address = parseIp(host);
    const max = (address?.length ?? (host.includes(":") ? 16 : 4)) * 8;
    let prefixLength = max;
    if (prefix !== undefined) {
      const read = readInteger(prefix, 0, max);
      if (read.ok) prefixLength = read.value;
      else {
        this.warn(read.reason);
        this.warn(`Invalid address prefix len ${prefix} for address ${text} - using ${max}`);
      }
    }
    if (address !== undefined) return { address, prefixLength, family: address.length === 4 ? 4 : 6 };
    this.warn(`VRRP parsed invalid IP ${text}. skipping IP...`);
    this.fail(invalid(text));
  }

  /** Settles the family, or says that it has been settled otherwise. */
  settle(family: 4 | 6 | undefined, conflict: string): void {
    if (family === undefined) return;
    this.family ??= family;
    if (this.family !== family) this.fail(conflict);
  }

  /** The name of a link that is there, or may come. */
  link(what: string): string {
    const name = this.next();
    const { machine, isDynamic, config } = this.#context;
    if (isDynamic || machine === undefined || machine.interfaceState(name) !== "absent") return name;
    config.isTrackedInterfaceMissing = true;
    this.fail(`WARNING - interface ${name} for ${what} doesn't exist`);
  }

  /** A routing domain by the name of its link. */
  vrf(): never {
    const name = this.next();
    if (this.#context.machine?.interfaceState(name) === "absent") this.fail(`VRF ${name} not found for route`);
    this.refuse("'vrf' of a route is refused: write the number of its table");
  }

  hasTrackGroup(name: string): boolean {
    return this.#context.config.trackGroups.some((group) => group.name === name);
  }
}
