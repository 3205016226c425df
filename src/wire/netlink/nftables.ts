/**
 * nf_tables over netlink, as far as Tandem needs it (linux/netfilter/nf_tables.h): tables, chains, rules made of expressions, in
 * one transaction; sets and maps are in nftables-maps.ts. Numbers of this protocol are big-endian. Registers of 16 bytes are
 * 1 … 4; 8 … 23 are the same ones in words of 4 bytes. Counterpart: libnftnl; `nft --debug=netlink` shows the same expressions.
 */
import { type Bytes, concatBytes, fromUtf8 } from "../../base/bytes.ts";
import { attribute, attributeText, attributeU8, nested } from "./attributes.ts";
import { align4, HOST_LITTLE_ENDIAN, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, viewOf } from "./message.ts";

/** The netlink protocol. */
export const NETLINK_NETFILTER = 12;

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NLM_F_EXCL = 0x200;
const NLM_F_APPEND = 0x800;

const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_DELCHAIN = 5;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_DELRULE = 8;

/** Families: NFPROTO_*. */
export const FAMILIES = { ip: 2, arp: 3, ip6: 10 } as const;
export type Family = keyof typeof FAMILIES;

/** Hooks: NF_INET_* and NF_ARP_*. */
export const HOOK_PREROUTING = 0;
export const HOOK_LOCAL_OUT = 3;
export const HOOK_ARP_IN = 0;
export const HOOK_ARP_OUT = 1;

const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFT_TABLE_F_OWNER = 0x2;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

/** Registers of 16 bytes. */
export const REGISTER_1 = 1;
export const REGISTER_2 = 2;
/** The register that says what becomes of the packet. */
export const REGISTER_VERDICT = 0;

const NF_DROP = 0;
const NF_ACCEPT = 1;
const NFT_JUMP = -3;
const NFT_GOTO = -4;
const NFT_RETURN = -5;

const META_MARK = 3;
const META_OUTPUT_NAME = 7;
const META_L4PROTO = 16;
const SOCKET_TRANSPARENT = 0;
const SOCKET_WILDCARD = 2;
const CHECKSUM_INTERNET = 1;
const CMP_EQUAL = 0;
const CMP_NOT_EQUAL = 1;
const CMP_AT_MOST = 3;
const CMP_GREATER = 4;
const CMP_AT_LEAST = 5;
const NUMGEN_INCREMENTAL = 0;
const HASH_JENKINS = 0;
const NAT_DESTINATION = 1;
const REJECT_ICMP = 0;
const ICMP_PORT_UNREACHABLE = 3;
const ICMPV6_PORT_UNREACHABLE = 4;

/** One message of a transaction: what NetlinkSocket.batch takes. */
export interface BatchMessage {
  readonly type: number;
  readonly flags: number;
  readonly body: Bytes;
}

/** One expression of a rule. */
export type Expression = Bytes;

/** An attribute of four bytes, big-endian as nf_tables wants its numbers. */
export function u32(type: number, value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value | 0);
  return attribute(type, bytes);
}

/** A number that the kernel keeps in its own byte order: a mark, a link, what `countUp` and `hash` have found. */
export function hostU32(number: number): Bytes {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, number, HOST_LITTLE_ENDIAN);
  return bytes;
}

/** `struct nfgenmsg`: family, version 0, resource. */
function header(family: number, resource = 0): Bytes {
  return Uint8Array.of(family, 0, resource >> 8, resource & 0xff);
}

/** A request about a family's tables. */
export function change(type: number, flags: number, family: Family, attributes: readonly Bytes[]): BatchMessage {
  const body = concatBytes([header(FAMILIES[family]), ...attributes]);
  return { type: (NFNL_SUBSYS_NFTABLES << 8) | type, flags: NLM_F_REQUEST | flags, body };
}

/**
 * The changes between a begin and an end: the kernel does all of them in one step, or none. What is refused is told in any case;
 * success is acknowledged once, by the last change, because a socket has no room for thousands of answers.
 */
export function transaction(changes: readonly BatchMessage[]): readonly BatchMessage[] {
  const mark = (type: number): BatchMessage => ({
    type,
    flags: NLM_F_REQUEST,
    body: header(0, NFNL_SUBSYS_NFTABLES),
  });
  const last = changes.length - 1;
  const told = changes.map((one, index) => (index === last ? { ...one, flags: one.flags | NLM_F_ACK } : one));
  return [mark(NFNL_MSG_BATCH_BEGIN), ...told, mark(NFNL_MSG_BATCH_END)];
}

/** A table that is there afterwards, new or as it was. */
export function addTable(family: Family, name: string): BatchMessage {
  return change(NFT_MSG_NEWTABLE, NLM_F_CREATE, family, [attributeText(NFTA_TABLE_NAME, name)]);
}

/** A table that vanishes when the socket that makes it is closed; it must not be there yet. */
export function addOwnedTable(family: Family, name: string): BatchMessage {
  return change(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, family, [
    attributeText(NFTA_TABLE_NAME, name),
    u32(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER),
  ]);
}

/** The table goes with everything in it; it has to be there. */
export function deleteTable(family: Family, name: string): BatchMessage {
  return change(NFT_MSG_DELTABLE, 0, family, [attributeText(NFTA_TABLE_NAME, name)]);
}

function aboutChain(table: string, name: string): readonly Bytes[] {
  return [attributeText(NFTA_CHAIN_TABLE, table), attributeText(NFTA_CHAIN_NAME, name)];
}

/** A chain that others jump to. */
export function addChain(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_NEWCHAIN, NLM_F_CREATE, family, aboutChain(table, name));
}

/** Where the kernel calls a chain, and for what. */
export interface BaseChain {
  readonly type: "filter" | "nat";
  readonly hook: number;
  readonly priority: number;
}

/** A chain that the kernel calls at a hook. */
export function addBaseChain(
  family: Family,
  table: string,
  name: string,
  { type, hook, priority }: BaseChain,
): BatchMessage {
  return change(NFT_MSG_NEWCHAIN, NLM_F_CREATE, family, [
    ...aboutChain(table, name),
    nested(NFTA_CHAIN_HOOK, [u32(NFTA_HOOK_HOOKNUM, hook), u32(NFTA_HOOK_PRIORITY, priority)]),
    attributeText(NFTA_CHAIN_TYPE, type),
  ]);
}

/** The chain goes; nothing may jump to it any more. */
export function deleteChain(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_DELCHAIN, 0, family, aboutChain(table, name));
}

/** All rules of the chain go. */
export function flushChain(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_DELRULE, 0, family, [
    attributeText(NFTA_RULE_TABLE, table),
    attributeText(NFTA_RULE_CHAIN, name),
  ]);
}

/** A rule behind the others of its chain. */
export function appendRule(
  family: Family,
  table: string,
  chain: string,
  expressions: readonly Expression[],
): BatchMessage {
  return change(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family, [
    attributeText(NFTA_RULE_TABLE, table),
    attributeText(NFTA_RULE_CHAIN, chain),
    nested(
      NFTA_RULE_EXPRESSIONS,
      expressions.map((expression) => nested(NFTA_LIST_ELEM, [expression])),
    ),
  ]);
}

/** An expression by its kernel name. */
export function expression(name: string, attributes: readonly Bytes[]): Expression {
  return concatBytes([attribute(NFTA_EXPR_NAME, fromUtf8(`${name}\0`)), nested(NFTA_EXPR_DATA, attributes)]);
}

/** Data of a known length inside an attribute. */
export function value(type: number, bytes: Bytes): Bytes {
  return nested(type, [attribute(NFTA_DATA_VALUE, bytes)]);
}

/** Where bytes of a packet are: in its IP or ARP header, or in its TCP, UDP or ICMP header. */
export interface PacketField {
  readonly base: "network" | "transport";
  readonly offset: number;
  readonly length: number;
}

function fieldAttributes({ base, offset, length }: PacketField): readonly Bytes[] {
  return [u32(2, base === "network" ? 1 : 2), u32(3, offset), u32(4, length)];
}

/** Loads bytes of a header into a register. */
export function loadField(register: number, field: PacketField): Expression {
  return expression("payload", [u32(1, register), ...fieldAttributes(field)]);
}

/** Loads fields one behind the other, each of a multiple of four bytes, from a word register on; `length` is that of them all. */
export function loadFields(
  register: number,
  fields: readonly PacketField[],
): { readonly expressions: readonly Expression[]; readonly length: number } {
  let length = 0;
  const expressions = fields.map((field) => {
    const load = loadField(register + length / 4, field);
    length += align4(field.length);
    return load;
  });
  return { expressions, length };
}

/** Writes a register into a header. `checksumOffset`: where the header has an internet checksum that covers the field, to be mended. */
export function writeField(register: number, field: PacketField, checksumOffset?: number): Expression {
  return expression("payload", [
    u32(5, register),
    ...fieldAttributes(field),
    u32(6, checksumOffset === undefined ? 0 : CHECKSUM_INTERNET),
    u32(7, checksumOffset ?? 0),
    u32(8, 0),
  ]);
}

/** Loads the name of the link that the packet leaves by: 16 bytes, filled with zeros. */
export function loadOutputName(register: number): Expression {
  return expression("meta", [u32(1, register), u32(2, META_OUTPUT_NAME)]);
}

/** Loads the protocol behind the IP header. */
export function loadProtocol(register: number): Expression {
  return expression("meta", [u32(1, register), u32(2, META_L4PROTO)]);
}

/** Loads the mark of the packet, in host order. */
export function loadMark(register: number): Expression {
  return expression("meta", [u32(1, register), u32(2, META_MARK)]);
}

/** Loads 1 when the packet is for a socket without an address of its own (a listener), 0 for one with; ends the rule without one. */
export function loadSocketWildcard(register: number): Expression {
  return expression("socket", [u32(1, SOCKET_WILDCARD), u32(2, register)]);
}

/** Loads 0 or 1 when there is a socket of any state for the packet; ends the rule when there is none. */
export function loadSocketTransparent(register: number): Expression {
  return expression("socket", [u32(1, SOCKET_TRANSPARENT), u32(2, register)]);
}

/** Puts bytes into a register. */
export function setRegister(register: number, bytes: Bytes): Expression {
  return expression("immediate", [u32(1, register), value(2, bytes)]);
}

/** Keeps the bits of a register that are set in the mask. */
export function keepBits(register: number, mask: Bytes): Expression {
  const none = new Uint8Array(mask.length);
  const { length } = mask;
  return expression("bitwise", [u32(1, register), u32(2, register), u32(3, length), value(4, mask), value(5, none)]);
}

/** Counts up: 0, 1, 2 … `modulus` − 1, 0 …, one more for each packet; in host order. */
export function countUp(register: number, modulus: number): Expression {
  return expression("numgen", [u32(1, register), u32(2, modulus), u32(3, NUMGEN_INCREMENTAL), u32(4, 0)]);
}

/** Jenkins' hash of `length` bytes from register `from` on, below `modulus`; in host order. */
export function hash(
  from: number,
  length: number,
  register: number,
  { modulus, seed }: { readonly modulus: number; readonly seed: number },
): Expression {
  return expression("hash", [
    u32(1, from),
    u32(2, register),
    u32(3, length),
    u32(4, modulus),
    u32(5, seed),
    u32(7, HASH_JENKINS),
  ]);
}

function compare(register: number, operator: number, bytes: Bytes): Expression {
  return expression("cmp", [u32(1, register), u32(2, operator), value(3, bytes)]);
}

/** The rule goes on when a register holds these bytes. */
export function isEqual(register: number, bytes: Bytes): Expression {
  return compare(register, CMP_EQUAL, bytes);
}

/** The rule goes on when a register holds other bytes. */
export function isNotEqual(register: number, bytes: Bytes): Expression {
  return compare(register, CMP_NOT_EQUAL, bytes);
}

/** The rule goes on when a register is not above these bytes. */
export function isAtMost(register: number, bytes: Bytes): Expression {
  return compare(register, CMP_AT_MOST, bytes);
}

/** The rule goes on when a register holds more than this. */
export function isGreater(register: number, bytes: Bytes): Expression {
  return compare(register, CMP_GREATER, bytes);
}

/** The rule goes on when a register holds something from `first` to `last`. */
export function isWithin(register: number, first: Bytes, last: Bytes): readonly Expression[] {
  return [compare(register, CMP_AT_LEAST, first), isAtMost(register, last)];
}

function verdictData(code: number, chain?: string): Bytes {
  const to = chain === undefined ? [] : [attributeText(NFTA_VERDICT_CHAIN, chain)];
  return nested(NFTA_DATA_VERDICT, [u32(NFTA_VERDICT_CODE, code), ...to]);
}

/** What `goTo` does, as the data of a map. */
export function goToData(chain: string): Bytes {
  return verdictData(NFT_GOTO, chain);
}

function verdict(data: Bytes): Expression {
  return expression("immediate", [u32(1, REGISTER_VERDICT), nested(2, [data])]);
}

/** The packet goes no further. */
export function drop(): Expression {
  return verdict(verdictData(NF_DROP));
}

/** The packet passes this hook. */
export function accept(): Expression {
  return verdict(verdictData(NF_ACCEPT));
}

/** The packet passes this chain. */
export function leaveChain(): Expression {
  return verdict(verdictData(NFT_RETURN));
}

/** Another chain goes on; what it does not decide comes back. */
export function jump(chain: string): Expression {
  return verdict(verdictData(NFT_JUMP, chain));
}

/** Another chain goes on; what it does not decide goes on behind the jump that led here. */
export function goTo(chain: string): Expression {
  return verdict(goToData(chain));
}

/**
 * A copy goes to the address in a register: by the link whose index (in host order) is in the other one, or without it by the way
 * that the routes say.
 */
export function duplicate(address: number, link?: number): Expression {
  return expression("dup", [u32(1, address), ...(link === undefined ? [] : [u32(2, link)])]);
}

/** The connection's destination becomes the address of a register, and the port of another, if one is given. */
export function translate(family: Family, address: number, port?: number): Expression {
  const to = [u32(3, address), ...(port === undefined ? [] : [u32(5, port)])];
  return expression("nat", [u32(1, NAT_DESTINATION), u32(2, FAMILIES[family]), ...to]);
}

/** The sender is told that nobody is there. */
export function rejectPort(family: Family): Expression {
  const code = family === "ip6" ? ICMPV6_PORT_UNREACHABLE : ICMP_PORT_UNREACHABLE;
  return expression("reject", [u32(1, REJECT_ICMP), attributeU8(2, code)]);
}
