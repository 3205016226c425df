/** Generic netlink: families that are found by their name (linux/genetlink.h). */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import { type Attributes, decodeAttributes, textIn, u16In } from "./attributes.ts";

/** The netlink protocol. */
export const NETLINK_GENERIC = 16;
/** The message type of the controller, who knows the other families. */
export const GENL_ID_CTRL = 0x10;

const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const GENERIC_HEADER_BYTES = 4;

/** The body of a message: command, version, attributes. */
export function encodeGeneric(command: number, version: number, attributes: readonly Bytes[]): Bytes {
  return concatBytes([Uint8Array.of(command, version, 0, 0), ...attributes]);
}

/** Command and attributes of a body. */
export function decodeGeneric(body: Bytes): Decoded<{ readonly command: number; readonly attributes: Attributes }> {
  if (body.length < GENERIC_HEADER_BYTES) return malformed("generic netlink header cut short");
  const attributes = decodeAttributes(body.subarray(GENERIC_HEADER_BYTES));
  return attributes.ok ? decoded({ command: body[0] as number, attributes: attributes.value }) : attributes;
}

/** A family as the controller lists it. */
export interface GenericFamily {
  readonly name: string;
  /** The type of its messages. */
  readonly id: number;
}

/** Asks the controller for all families; to be sent as a dump. */
export function encodeFamiliesRequest(): Bytes {
  return encodeGeneric(CTRL_CMD_GETFAMILY, 1, []);
}

/** One family of the controller's answer. */
export function decodeFamily(body: Bytes): Decoded<GenericFamily> {
  const message = decodeGeneric(body);
  if (!message.ok) return message;
  const { attributes } = message.value;
  const id = u16In(attributes, CTRL_ATTR_FAMILY_ID);
  const name = textIn(attributes, CTRL_ATTR_FAMILY_NAME);
  return id === undefined || name === undefined
    ? malformed("generic netlink family without name or number")
    : decoded({ name, id });
}
