/** `geo`: a variable whose value follows from an address, by networks or ranges. nginx: ngx_http_geo_module, ngx_stream_geo_module. */
import { type Bytes, latin1 } from "../base/bytes.ts";
import { type IpAddress, parseIp, parseIpv4 } from "../base/ip.ts";
import type { ConfOf, IncludedFile, Use } from "../conf/slot.ts";
import { list } from "../conf/slots.ts";
import type { Endpoint } from "../io/stream.ts";
import { AddressTable, rangeOf } from "./address-table.ts";
import { GeoRanges } from "./geo-ranges.ts";
import { type Cidr, parseCidr, unmapped } from "./networks.ts";
import { type Definition, type Getter, parseDefined, type TextPlace } from "./variables.ts";

/** Stands for every address that is none or can't be read. */
const NOWHERE: IpAddress = Uint8Array.of(255, 255, 255, 255);
const ALL_IPV4: Cidr = { address: new Uint8Array(4), prefixLength: 0 };
const ALL_IPV6: Cidr = { address: new Uint8Array(16), prefixLength: 0 };

interface Entry extends Cidr {
  readonly value: string;
}

/** A block. */
export interface GeoBlock {
  readonly variable: string;
  /** The variable that has the address; the client's own without. */
  readonly source: string | undefined;
  readonly ipv4: AddressTable<string>;
  readonly ipv6: AddressTable<string>;
  readonly standard: string;
  readonly isVolatile: boolean;
  readonly proxies: readonly Cidr[];
  readonly isRecursive: boolean;
}

/** A network of a line; undefined when it has been refused. */
function readCidr(entry: Use, text: string): Cidr | undefined {
  if (text === "255.255.255.255") return { address: NOWHERE, prefixLength: 32 };
  const cidr = parseCidr(text);
  if (cidr === undefined) return entry.fail(`invalid network "${text}"`);
  if (cidr.hasHostBits) entry.warn(`low address bits of ${text} are meaningless`);
  return cidr;
}

/** Reads an address of a range as a number; undefined when malformed. */
function readNumber(text: string): number | undefined {
  const ip = text === "255.255.255.255" ? undefined : parseIpv4(text);
  return ip?.reduce((value, byte) => value * 256 + byte, 0);
}

/** So many lines are read as fast. */
const LINES_WITHOUT_BASE = 100_000;

/** A block while it is being read. */
class Reader {
  /** By address and length. */
  private readonly networks = new Map<string, Entry>();
  private readonly knowsProxies: boolean;
  private readonly ranges = new GeoRanges();
  private rangeDefault: string | undefined;
  private hasRanges = false;
  private hasNetworks = false;
  readonly proxies: Cidr[] = [];
  isVolatile = false;
  isRecursive = false;
  /** Lines with ranges, and files that were included by their names. */
  private lines = 0;
  private files = 0;
  /** There are ranges outside of included files, or behind the last one. */
  private hasOutside = false;
  private file = "";
  /** The binary base that the ranges come from. */
  private base = "";
  /** A file was included behind ranges: nothing of it goes into a base. */
  private isMixed = false;

  constructor(knowsProxies: boolean) {
    this.knowsProxies = knowsProxies;
  }

  /** A file begins or ends; undefined when its base has been refused. */
  visit(file: IncludedFile): true | undefined {
    const { use, source, isBehind } = file;
    if (isBehind) {
      this.files++;
      this.hasOutside = false;
      return true;
    }
    const base = source.base ?? (this.hasRanges ? use.madeBase(`${source.file}.bin`) : undefined);
    if (base !== undefined) {
      const name = `binary geo range base "${base.file}" cannot be mixed with`;
      if (this.hasOutside) return use.fail(`${name} usual entries`);
      if (this.base !== "") return use.fail(`second ${name} "${this.base}"`);
      if (base.pieces === undefined) use.warn(`${base.fault} binary geo range base "${base.file}"`);
      else {
        use.notice(`using binary geo range base "${base.file}"`);
        this.base = base.file;
        this.ranges.take(base.pieces);
        file.isSkipped = true;
        return true;
      }
    }
    this.file = source.file;
    if (this.hasOutside) this.isMixed = true;
    return true;
  }

  /** The block has been read: a long file that has all its ranges is worth a base. */
  finish(use: Use): void {
    const isWhole = this.hasRanges && this.base === "" && this.files === 1 && !this.hasOutside && !this.isMixed;
    if (!isWhole || this.lines <= LINES_WITHOUT_BASE) return;
    use.makeBase({ file: `${this.file}.bin`, pieces: this.ranges.byUpper });
  }

  /** One line; undefined when it has been refused. */
  read(entry: Use): true | undefined {
    const { name, args } = entry;
    if (args.length === 0 && name === "ranges") {
      if (this.hasNetworks) return entry.fail('the "ranges" directive must be the first directive inside "geo" block');
      this.hasRanges = true;
    } else if (args.length === 0 && name === "proxy_recursive" && this.knowsProxies) this.isRecursive = true;
    else if (args.length === 0 && name === "volatile") this.isVolatile = true;
    else if (args.length !== 1) return entry.fail("invalid number of the geo parameters");
    else if (name === "proxy" && this.knowsProxies) {
      const cidr = readCidr(entry, args[0] as string);
      if (cidr === undefined) return undefined;
      this.proxies.push(cidr);
    } else
      return this.hasRanges ? this.readRange(entry, args[0] as string) : this.readNetwork(entry, args[0] as string);
    return true;
  }

  private readNetwork(entry: Use, word: string): true | undefined {
    const { name } = entry;
    this.hasNetworks = true;
    if (name === "default") {
      this.put(entry, "default", ALL_IPV4, word);
      this.put(entry, "default", ALL_IPV6, word);
      return true;
    }
    const text = name === "delete" ? word : name;
    const cidr = readCidr(entry, text);
    if (cidr === undefined) return undefined;
    if (name !== "delete") this.put(entry, text, cidr, word);
    else if (!this.networks.delete(keyOf(cidr))) entry.warn(`no network "${text}" to delete`);
    return true;
  }

  private put(entry: Use, text: string, { address, prefixLength }: Cidr, value: string): void {
    const key = keyOf({ address, prefixLength });
    const known = this.networks.get(key);
    if (known !== undefined) entry.warn(`duplicate network "${text}", value: "${value}", old value: "${known.value}"`);
    this.networks.set(key, { address, prefixLength, value });
  }

  private readRange(entry: Use, word: string): true | undefined {
    const { name } = entry;
    if (name === "default") {
      if (this.rangeDefault !== undefined)
        entry.warn(`duplicate default geo range value: "${word}", old value: "${this.rangeDefault}"`);
      this.rangeDefault = word;
      return true;
    }
    if (this.base !== "") return entry.fail(`binary geo range base "${this.base}" cannot be mixed with usual entries`);
    this.lines++;
    this.hasOutside = true;
    const text = name === "delete" ? word : name;
    const dash = text.indexOf("-");
    const first = dash < 0 ? undefined : readNumber(text.slice(0, dash));
    const last = dash < 0 ? undefined : readNumber(text.slice(dash + 1));
    if (first === undefined || last === undefined || first > last) return entry.fail(`invalid range "${text}"`);
    if (name === "delete") {
      if (!this.ranges.delete(first, last)) entry.warn(`no address range "${text}" to delete`);
      return true;
    }
    const added = this.ranges.add(first, last, word);
    if (added.kind === "overlaps") return entry.fail(`range "${text}" overlaps "${added.range}"`);
    if (added.kind === "replaced")
      entry.warn(`duplicate range "${text}", value: "${word}", old value: "${added.oldValue}"`);
    return true;
  }

  /** The tables for both kinds of addresses. */
  tables(): Pick<GeoBlock, "ipv4" | "ipv6" | "standard"> {
    if (this.hasRanges)
      return {
        ipv4: this.ranges.table(),
        ipv6: AddressTable.of<string>(16, []),
        standard: this.rangeDefault ?? "",
      };
    const all = [...this.networks.values()].map((entry) => rangeOf(entry, entry.value));
    return {
      ipv4: AddressTable.of(
        4,
        all.filter(({ first }) => first.length === 4),
      ),
      ipv6: AddressTable.of(
        16,
        all.filter(({ first }) => first.length === 16),
      ),
      standard: "",
    };
  }
}

function keyOf({ address, prefixLength }: Cidr): string {
  return `${latin1(address)}/${prefixLength}`;
}

function parseGeo(use: Use, knowsProxies: boolean): GeoBlock | undefined {
  const { args } = use;
  const [source, word] = args.length === 2 ? [parseSource(use, args[0] as string), args[1]] : [undefined, args[0]];
  if (args.length === 2 && source === undefined) return undefined;
  const variable = parseDefined(use, word as string);
  const reader = new Reader(knowsProxies);
  let isSound = true;
  for (const entry of use.entriesAndFiles)
    if (("source" in entry ? reader.visit(entry) : reader.read(entry)) === undefined) isSound = false;
  if (variable === undefined || !isSound) return undefined;
  reader.finish(use);
  const { proxies, isVolatile, isRecursive } = reader;
  return { variable, source, proxies, isVolatile, isRecursive, ...reader.tables() };
}

/** The variable that has the address; undefined when it has been refused. */
function parseSource(use: Use, word: string): string | undefined {
  if (!word.startsWith("$") || word.length === 1) return use.fail(`invalid variable name "${word}"`);
  // Whatever stands behind the dollar is a name to nginx; only what is one elsewhere too can be missing.
  if (/^\$\w+$/.test(word)) use.template(word);
  return word.slice(1).toLowerCase();
}

/** The directive, in the context of a service's own block. `knowsProxies`: trusted proxies may name the client. */
export function geoDirectives(context: "http" | "stream", knowsProxies: boolean) {
  return {
    geo: list((use) => parseGeo(use, knowsProxies), {
      in: context,
      args: [1, 2],
      block: true,
      syntax: "[$address] $variable { ... }",
      doc: "Defines a variable whose value follows from the client's address, by networks or by ranges.",
    }),
  };
}

/** Where a service's subjects come from. */
export interface GeoSources<S> {
  clientOf(subject: S): Endpoint;
  /** Whom trusted proxies name as the client that has come from `from`. */
  forwarded?(subject: S, from: Endpoint, proxies: readonly Cidr[], isRecursive: boolean): Endpoint;
}

/** The address to look up; undefined when there is none. */
type Source<S> = (subject: S) => Endpoint | undefined;

function compileSource<S>(
  { source, proxies, isRecursive }: GeoBlock,
  place: TextPlace<S>,
  sources: GeoSources<S>,
): Source<S> {
  const own: Source<S> =
    source === undefined ? (subject) => sources.clientOf(subject) : compileVariable(place.getter(source));
  if (proxies.length === 0) return own;
  return (subject) => {
    const from = own(subject);
    return from && (sources.forwarded?.(subject, from, proxies, isRecursive) ?? from);
  };
}

function compileVariable<S>(get: Getter<S>): Source<S> {
  return (subject) => {
    const ip = parseIp(get(subject) ?? "");
    return ip === undefined ? undefined : { ip, port: 0 };
  };
}

function compileGeo<S>(block: GeoBlock, place: TextPlace<S>, sources: GeoSources<S>): Getter<S> {
  const source = compileSource(block, place, sources);
  const { ipv4, ipv6, standard } = block;
  return (subject) => {
    const endpoint = source(subject);
    const ip: Bytes = endpoint !== undefined && "ip" in endpoint ? unmapped(endpoint.ip) : NOWHERE;
    return (ip.length === 4 ? ipv4 : ipv6).find(ip) ?? standard;
  };
}

/** The variables that the blocks define. */
export function geoDefinitions<S>(
  { geo: blocks }: ConfOf<ReturnType<typeof geoDirectives>>,
  sources: GeoSources<S>,
): readonly Definition<S>[] {
  return blocks.map((block) => ({
    name: block.variable,
    isVolatile: block.isVolatile,
    compile: (place) => compileGeo(block, place, sources),
  }));
}
