/** Sets and maps of nf_tables (linux/netfilter/nf_tables.h), what fills them, and the expressions that ask them. */
import type { Bytes } from "../../base/bytes.ts";
import { attribute, attributeText, nested } from "./attributes.ts";
import { NLM_F_CREATE } from "./message.ts";
import {
  type BatchMessage,
  change,
  type Expression,
  expression,
  type Family,
  goToData,
  REGISTER_VERDICT,
  u32,
  value,
} from "./nftables.ts";

const NFT_MSG_NEWSET = 9;
const NFT_MSG_DELSET = 11;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;

const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LENGTH = 5;
const NFTA_SET_DATA_TYPE = 6;
const NFTA_SET_DESCRIPTION = 9;
const NFTA_SET_ID = 10;
const NFTA_SET_TIMEOUT = 11;
const NFTA_SET_DESCRIPTION_SIZE = 1;
const NFTA_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_ELEMENT_KEY = 1;
const NFTA_ELEMENT_DATA = 2;

const NFT_SET_MAP = 0x8;
const NFT_SET_TIMEOUT = 0x10;
const NFT_SET_EVAL = 0x20;
const NFT_DATA_VERDICT = 0xffff_ff00;
const DYNSET_UPDATE = 1;

/** nft's numbers of types, which the kernel only remembers for whoever lists a map: nft(8) must be able to read it. */
const TYPES = { ip: 7, ip6: 8, port: 13, mark: 19 } as const;
const TYPE_BITS = 6;
/** Bytes of each type in registers, which have words of four. */
const TYPE_BYTES = { ip: 4, ip6: 16, port: 4, mark: 4 } as const;
export type FieldType = keyof typeof TYPES;

/** Elements that go into one message: a list is an attribute, and those have 16 bits for their length. */
export const ELEMENTS_PER_MESSAGE = 500;

/** What a set or a map holds. */
export interface MapAbout {
  readonly key: readonly FieldType[];
  /** undefined: it is a set, which has no data. `verdict`: what becomes of the packet. */
  readonly data: "verdict" | undefined;
  /** undefined: rules only read it. */
  readonly dynamic?: { readonly size: number; readonly timeoutMs: number };
}

function u64(type: number, number: number): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return attribute(type, bytes);
}

function about(table: string, name: string): readonly Bytes[] {
  return [attributeText(NFTA_SET_TABLE, table), attributeText(NFTA_SET_NAME, name)];
}

/** A set, or a map. */
export function addMap(family: Family, table: string, name: string, { key, data, dynamic }: MapAbout): BatchMessage {
  const flags = (data === undefined ? 0 : NFT_SET_MAP) | (dynamic === undefined ? 0 : NFT_SET_TIMEOUT | NFT_SET_EVAL);
  const type = key.reduce((joined, field) => (joined << TYPE_BITS) | TYPES[field], 0);
  const sizeBytes = key.reduce((sum, field) => sum + TYPE_BYTES[field], 0);
  const size = dynamic && nested(NFTA_SET_DESCRIPTION, [u32(NFTA_SET_DESCRIPTION_SIZE, dynamic.size)]);
  return change(NFT_MSG_NEWSET, NLM_F_CREATE, family, [
    ...about(table, name),
    u32(NFTA_SET_FLAGS, flags),
    u32(NFTA_SET_KEY_TYPE, type),
    u32(NFTA_SET_KEY_LENGTH, sizeBytes),
    ...(data === undefined ? [] : [u32(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT)]),
    // It could be referred to by this in the same transaction; it is by its name.
    u32(NFTA_SET_ID, 1),
    ...(dynamic === undefined || size === undefined ? [] : [size, u64(NFTA_SET_TIMEOUT, dynamic.timeoutMs)]),
  ]);
}

/** The set or map goes; no rule may ask it any more. */
export function deleteMap(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_DELSET, 0, family, about(table, name));
}

/** All elements go. */
export function flushMap(family: Family, table: string, name: string): BatchMessage {
  return change(NFT_MSG_DELSETELEM, 0, family, about(table, name));
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
    const list = part.map(([key, chain]) =>
      nested(NFTA_LIST_ELEM, [value(NFTA_ELEMENT_KEY, key), nested(NFTA_ELEMENT_DATA, [goToData(chain)])]),
    );
    messages.push(
      change(NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, [...about(table, name), nested(NFTA_ELEMENTS, list)]),
    );
  }
  return messages;
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
