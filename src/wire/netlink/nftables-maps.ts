/**
 * nf_tables' maps and what chooses by them: tables that go with their owner, chains of any type, maps with and without time limit,
 * counters, hashes, address translation (linux/netfilter/nf_tables.h). Registers of 16 bytes are 1 … 4; 8 … 23 are the same ones
 * in words of 4 bytes.
 */
import type { Bytes } from "../../base/bytes.ts";
import { attribute, attributeText, attributeU8, nested } from "./attributes.ts";
import { NLM_F_CREATE } from "./message.ts";
import {
  type BatchMessage,
  change,
  type Expression,
  expression,
  FAMILIES,
  type Family,
  u32,
  value,
} from "./nftables.ts";

const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_DELCHAIN = 5;
const NFT_MSG_DELRULE = 8;
const NFT_MSG_NEWSET = 9;
const NFT_MSG_DELSET = 11;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;

const NFT_TABLE_F_OWNER = 0x2;
const NFT_SET_MAP = 0x8;
const NFT_SET_TIMEOUT = 0x10;
const NFT_SET_EVAL = 0x20;

/** nft's numbers of types, which the kernel only remembers for whoever lists a map: nft(8) must be able to read it. */
const TYPES = { ip: 7, ip6: 8, port: 13, mark: 19 } as const;
const TYPE_BITS = 6;
export type FieldType = keyof typeof TYPES;

const NFT_DATA_VERDICT = 0xffff_ff00;
const NFT_JUMP = -3;
const NFT_GOTO = -4;
const NF_ACCEPT = 1;
const REGISTER_VERDICT = 0;
const META_MARK = 3;
const NAT_DESTINATION = 1;
const REJECT_ICMP = 0;
const ICMP_PORT_UNREACHABLE = 3;
const ICMPV6_PORT_UNREACHABLE = 4;
const DYNSET_UPDATE = 1;
const CMP_AT_LEAST = 5;
const CMP_AT_MOST = 3;
const CMP_EQUAL = 0;

export const HOOK_LOCAL_OUT = 3;

/** Elements that go into one message: a list is an attribute, and those have 16 bits for their length. */
export const ELEMENTS_PER_MESSAGE = 500;

/** A table that vanishes when the socket that makes it is closed; it must not be there yet. */
export function addOwnedTable(family: Family, name: string): BatchMessage {
  const NLM_F_EXCL = 0x200;
  return change(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, family, [
    attributeText(1, name),
    u32(2, NFT_TABLE_F_OWNER),
  ]);
}

/** A chain that others jump to. */
export function addChain(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_NEWCHAIN, NLM_F_CREATE, family, [attributeText(1, table), attributeText(3, name)]);
}

/** A chain that the kernel calls at a hook. */
export function addHookedChain(
  family: Family,
  table: string,
  name: string,
  about: { readonly type: "filter" | "nat"; readonly hook: number; readonly priority: number },
): BatchMessage {
  return change(NFT_MSG_NEWCHAIN, NLM_F_CREATE, family, [
    attributeText(1, table),
    attributeText(3, name),
    nested(4, [u32(1, about.hook), u32(2, about.priority)]),
    attributeText(7, about.type),
  ]);
}

/** The chain goes; nothing may jump to it any more. */
export function deleteChain(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_DELCHAIN, 0, family, [attributeText(1, table), attributeText(3, name)]);
}

/** All rules of the chain go. */
export function flushChain(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_DELRULE, 0, family, [attributeText(1, table), attributeText(2, name)]);
}

/** What a set or a map holds. */
export interface MapAbout {
  readonly key: readonly FieldType[];
  /** undefined: it is a set, which has no data. `verdict`: what becomes of the packet. */
  readonly data: "verdict" | undefined;
  /** undefined: rules only read it. */
  readonly dynamic?: { readonly size: number; readonly timeoutMs: number };
}

function typeOf(fields: readonly FieldType[]): number {
  return fields.reduce((type, field) => (type << TYPE_BITS) | TYPES[field], 0);
}

/** Fields as registers hold them: each padded to words of four bytes, unless there is but one. */
function bytesOf(fields: readonly FieldType[]): number {
  const bytes = { ip: 4, ip6: 16, port: 4, mark: 4 } as const;
  return fields.reduce((sum, field) => sum + bytes[field], 0);
}

/** A set, or a map. */
export function addMap(family: Family, table: string, name: string, about: MapAbout): BatchMessage {
  const { key, data, dynamic } = about;
  const flags = (data === undefined ? 0 : NFT_SET_MAP) | (dynamic === undefined ? 0 : NFT_SET_TIMEOUT | NFT_SET_EVAL);
  return change(NFT_MSG_NEWSET, NLM_F_CREATE, family, [
    attributeText(1, table),
    attributeText(2, name),
    u32(3, flags),
    u32(4, typeOf(key)),
    u32(5, bytesOf(key)),
    ...(data === undefined ? [] : [u32(6, NFT_DATA_VERDICT)]),
    // It could be referred to by this in the same transaction; it is by its name.
    u32(10, 1),
    ...(dynamic === undefined ? [] : [nested(9, [u32(1, dynamic.size)]), u64(11, dynamic.timeoutMs)]),
  ]);
}

export function deleteMap(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_DELSET, 0, family, [attributeText(1, table), attributeText(2, name)]);
}

/** All elements go. */
export function flushMap(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_DELSETELEM, 0, family, [attributeText(1, table), attributeText(2, name)]);
}

/** New elements of a map of verdicts: what has the key goes on in the chain. */
export function addElements(
  family: Family,
  table: string,
  name: string,
  elements: readonly (readonly [key: Bytes, chain: string])[],
): readonly BatchMessage[] {
  const messages: BatchMessage[] = [];
  for (let start = 0; start < elements.length; start += ELEMENTS_PER_MESSAGE) {
    const part = elements.slice(start, start + ELEMENTS_PER_MESSAGE);
    const list = part.map(([key, chain]) => nested(1, [value(1, key), nested(2, [verdictTo(NFT_GOTO, chain)])]));
    const attributes = [attributeText(1, table), attributeText(2, name), nested(3, list)];
    messages.push(change(NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, attributes));
  }
  return messages;
}

function u64(type: number, number: number): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return attribute(type, bytes);
}

/** Where bytes of a packet are. */
export interface PacketField {
  readonly base: "network" | "transport";
  readonly offset: number;
  readonly length: number;
}

/** Loads bytes of a header into a register. */
export function loadField(register: number, { base, offset, length }: PacketField): Expression {
  return expression("payload", [u32(1, register), u32(2, base === "network" ? 1 : 2), u32(3, offset), u32(4, length)]);
}

/** Loads the mark of the packet, in host order. */
export function loadMark(register: number): Expression {
  return expression("meta", [u32(1, register), u32(2, META_MARK)]);
}

function compare(register: number, operator: number, bytes: Bytes): Expression {
  return expression("cmp", [u32(1, register), u32(2, operator), value(3, bytes)]);
}

/** The rule goes on when a register holds these bytes. */
export function registerIs(register: number, bytes: Bytes): Expression {
  return compare(register, CMP_EQUAL, bytes);
}

/** The rule goes on when a register holds something from `first` to `last`. */
export function registerIsWithin(register: number, first: Bytes, last: Bytes): readonly Expression[] {
  return [compare(register, CMP_AT_LEAST, first), compare(register, CMP_AT_MOST, last)];
}

/** Keeps the bits of a register that are set in the mask. */
export function maskBits(register: number, mask: Bytes): Expression {
  const none = new Uint8Array(mask.length);
  return expression("bitwise", [
    u32(1, register),
    u32(2, register),
    u32(3, mask.length),
    value(4, mask),
    value(5, none),
  ]);
}

/** 0, 1, 2 … `modulus` − 1, 0 …: one more for each packet; in host order. */
export function countUp(register: number, modulus: number): Expression {
  return expression("numgen", [u32(1, register), u32(2, modulus), u32(3, 0), u32(4, 0)]);
}

/** Jenkins' hash of `length` bytes from register `from` on, below `modulus`; in host order. */
export function hash(
  from: number,
  length: number,
  register: number,
  about: { readonly modulus: number; readonly seed: number },
): Expression {
  return expression("hash", [
    u32(1, from),
    u32(2, register),
    u32(3, length),
    u32(4, about.modulus),
    u32(5, about.seed),
    u32(7, 0),
  ]);
}

/** The rule goes on when the bytes of a register are in the set. */
export function isIn(set: string, register: number): Expression {
  return expression("lookup", [attributeText(1, set), u32(2, register)]);
}

/** What the map of verdicts says about the bytes of a register; the rule ends where it says nothing. */
export function decide(map: string, register: number): Expression {
  return expression("lookup", [attributeText(1, map), u32(2, register), u32(3, REGISTER_VERDICT)]);
}

/** Writes the bytes of a register into a dynamic set, or makes them last as long again. */
export function remember(set: string, register: number, timeoutMs: number): Expression {
  return expression("dynset", [attributeText(1, set), u32(3, DYNSET_UPDATE), u32(4, register), u64(6, timeoutMs)]);
}

/** The connection's destination becomes the address of a register, and the port of another, if one is given. */
export function translate(family: Family, address: number, port: number | undefined): Expression {
  return expression("nat", [
    u32(1, NAT_DESTINATION),
    u32(2, FAMILIES[family]),
    u32(3, address),
    ...(port === undefined ? [] : [u32(5, port)]),
  ]);
}

/** A copy goes to the address of a register, by the way that the routes say. */
export function duplicateTo(register: number): Expression {
  return expression("dup", [u32(1, register)]);
}

/** The sender is told that nobody is there. */
export function rejectPort(family: Family): Expression {
  const code = family === "ip6" ? ICMPV6_PORT_UNREACHABLE : ICMP_PORT_UNREACHABLE;
  return expression("reject", [u32(1, REJECT_ICMP), attributeU8(2, code)]);
}

function verdictTo(code: number, chain: string): Bytes {
  return nested(2, [u32(1, code), attributeText(2, chain)]);
}

/** Another chain goes on; what it does not decide comes back. */
export function jump(chain: string): Expression {
  return expression("immediate", [u32(1, REGISTER_VERDICT), nested(2, [verdictTo(NFT_JUMP, chain)])]);
}

/** Another chain goes on; what it does not decide goes on behind the jump that led here. */
export function goTo(chain: string): Expression {
  return expression("immediate", [u32(1, REGISTER_VERDICT), nested(2, [verdictTo(NFT_GOTO, chain)])]);
}

/** The packet passes this hook. */
export function accept(): Expression {
  return expression("immediate", [u32(1, REGISTER_VERDICT), nested(2, [nested(2, [u32(1, NF_ACCEPT)])])]);
}

/** Fields one behind the other in registers, each of a multiple of four bytes, from a word register on. */
export function loadFields(
  register: number,
  fields: readonly PacketField[],
): { readonly expressions: readonly Expression[]; readonly length: number } {
  let length = 0;
  const expressions = fields.map((field) => {
    const load = loadField(register + length / 4, field);
    length += (field.length + 3) & ~3;
    return load;
  });
  return { expressions, length };
}
