/**
 * nf_tables over netlink, as far as Tandem needs it (linux/netfilter/nf_tables.h): tables, base chains, rules made of
 * expressions, in one transaction. Numbers of this protocol are big-endian. Counterpart: libnftnl; `nft --debug=netlink` shows
 * the same expressions.
 */
import { type Bytes, concatBytes, fromUtf8 } from "../../base/bytes.ts";
import { attribute, attributeText, nested } from "./attributes.ts";
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST } from "./message.ts";

/** The netlink protocol. */
export const NETLINK_NETFILTER = 12;

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;

const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;

/** Families: NFPROTO_*. */
export const FAMILIES = { ip: 2, arp: 3, ip6: 10 } as const;
export type Family = keyof typeof FAMILIES;

/** Hooks: NF_INET_* and NF_ARP_*. */
export const HOOK_PREROUTING = 0;
export const HOOK_ARP_IN = 0;
export const HOOK_ARP_OUT = 1;

const NFTA_TABLE_NAME = 1;
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

/** Registers of 16 bytes. */
export const REGISTER_1 = 1;
export const REGISTER_2 = 2;
const REGISTER_VERDICT = 0;

const NF_DROP = 0;
const NFT_RETURN = -5;

const PAYLOAD_NETWORK = 1;
const PAYLOAD_TRANSPORT = 2;
const META_L4PROTO = 16;
const SOCKET_TRANSPARENT = 0;
const SOCKET_WILDCARD = 2;
const CMP_EQUAL = 0;
const CMP_NOT_EQUAL = 1;
const CMP_AT_MOST = 3;

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

/** `struct nfgenmsg`: family, version 0, resource. */
function header(family: number, resource = 0): Bytes {
  return Uint8Array.of(family, 0, resource >> 8, resource & 0xff);
}

/** A request about a family's tables, to be acknowledged. */
export function change(type: number, flags: number, family: Family, attributes: readonly Bytes[]): BatchMessage {
  const body = concatBytes([header(FAMILIES[family]), ...attributes]);
  return { type: (NFNL_SUBSYS_NFTABLES << 8) | type, flags: NLM_F_REQUEST | NLM_F_ACK | flags, body };
}

/** The changes between a begin and an end: the kernel does all of them in one step, or none. */
export function transaction(changes: readonly BatchMessage[]): readonly BatchMessage[] {
  const mark = (type: number): BatchMessage => ({
    type,
    flags: NLM_F_REQUEST,
    body: header(0, NFNL_SUBSYS_NFTABLES),
  });
  return [mark(NFNL_MSG_BATCH_BEGIN), ...changes, mark(NFNL_MSG_BATCH_END)];
}

/** A table that is there afterwards, new or as it was. */
export function addTable(family: Family, name: string): BatchMessage {
  return change(NFT_MSG_NEWTABLE, NLM_F_CREATE, family, [attributeText(NFTA_TABLE_NAME, name)]);
}

/** The table goes with everything in it; it has to be there. */
export function deleteTable(family: Family, name: string): BatchMessage {
  return change(NFT_MSG_DELTABLE, 0, family, [attributeText(NFTA_TABLE_NAME, name)]);
}

/** A chain of type "filter" that the kernel calls at a hook. */
export function addBaseChain(
  family: Family,
  table: string,
  name: string,
  hook: number,
  priority: number,
): BatchMessage {
  return change(NFT_MSG_NEWCHAIN, NLM_F_CREATE, family, [
    attributeText(NFTA_CHAIN_TABLE, table),
    attributeText(NFTA_CHAIN_NAME, name),
    nested(NFTA_CHAIN_HOOK, [u32(NFTA_HOOK_HOOKNUM, hook), u32(NFTA_HOOK_PRIORITY, priority)]),
    attributeText(NFTA_CHAIN_TYPE, "filter"),
  ]);
}

/** A rule behind the others of its chain. */
export function appendRule(
  family: Family,
  table: string,
  chain: string,
  expressions: readonly Expression[],
): BatchMessage {
  const NLM_F_APPEND = 0x800;
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

function loadPayload(base: number, offset: number, length: number): Expression {
  return expression("payload", [u32(1, REGISTER_1), u32(2, base), u32(3, offset), u32(4, length)]);
}

/** Loads bytes of the IP or ARP header. */
export function loadNetwork(offset: number, length: number): Expression {
  return loadPayload(PAYLOAD_NETWORK, offset, length);
}

/** Loads bytes of the TCP, UDP or ICMP header. */
export function loadTransport(offset: number, length: number): Expression {
  return loadPayload(PAYLOAD_TRANSPORT, offset, length);
}

/** Writes register 1 into the IP or ARP header; no checksum is mended. */
export function writeNetwork(offset: number, length: number): Expression {
  return expression("payload", [
    u32(5, REGISTER_1),
    u32(2, PAYLOAD_NETWORK),
    u32(3, offset),
    u32(4, length),
    u32(6, 0),
    u32(7, 0),
    u32(8, 0),
  ]);
}

/** Loads the protocol behind the IP header. */
export function loadProtocol(): Expression {
  return expression("meta", [u32(1, REGISTER_1), u32(2, META_L4PROTO)]);
}

function loadSocket(key: number): Expression {
  return expression("socket", [u32(1, key), u32(2, REGISTER_1)]);
}

/** Loads 1 when the packet is for a socket without an address of its own (a listener), 0 for one with; ends the rule without one. */
export function loadSocketWildcard(): Expression {
  return loadSocket(SOCKET_WILDCARD);
}

/** Loads 0 or 1 when there is a socket of any state for the packet; ends the rule when there is none. */
export function loadSocketTransparent(): Expression {
  return loadSocket(SOCKET_TRANSPARENT);
}

/** Keeps the bits of register 1 that are set in the mask. */
export function maskRegister(mask: Bytes): Expression {
  const none = new Uint8Array(mask.length);
  return expression("bitwise", [
    u32(1, REGISTER_1),
    u32(2, REGISTER_1),
    u32(3, mask.length),
    value(4, mask),
    value(5, none),
  ]);
}

function compare(operator: number, bytes: Bytes): Expression {
  return expression("cmp", [u32(1, REGISTER_1), u32(2, operator), value(3, bytes)]);
}

/** The rule goes on when register 1 holds these bytes. */
export function isEqual(bytes: Bytes): Expression {
  return compare(CMP_EQUAL, bytes);
}

/** The rule goes on when register 1 holds other bytes. */
export function isNotEqual(bytes: Bytes): Expression {
  return compare(CMP_NOT_EQUAL, bytes);
}

/** The rule goes on when register 1 is not above these bytes. */
export function isAtMost(bytes: Bytes): Expression {
  return compare(CMP_AT_MOST, bytes);
}

/** Puts bytes into a register. */
export function setRegister(register: number, bytes: Bytes): Expression {
  return expression("immediate", [u32(1, register), value(2, bytes)]);
}

function verdict(code: number): Expression {
  const data = nested(NFTA_DATA_VERDICT, [u32(NFTA_VERDICT_CODE, code)]);
  return expression("immediate", [u32(1, REGISTER_VERDICT), nested(2, [data])]);
}

/** The packet goes no further. */
export function drop(): Expression {
  return verdict(NF_DROP);
}

/** The packet passes this chain. */
export function leaveChain(): Expression {
  return verdict(NFT_RETURN);
}

/** A copy goes to the address in register 1 by the link whose index (in host order) is in register 2. */
export function duplicate(): Expression {
  return expression("dup", [u32(1, REGISTER_1), u32(2, REGISTER_2)]);
}
