/** Users and groups by name, through the C library, so that LDAP and other name services count too. */
import { bytesAt } from "./ffi/native.ts";
import { getgrnam, getpwnam } from "./ffi/process.ts";

/** A user's numeric ids. */
export interface User {
  readonly name: string;
  readonly userId: number;
  /** The primary group. */
  readonly groupId: number;
}

/** `struct passwd` on 64 bits: two pointers, then uid and gid. `struct group` begins with two pointers as well. */
const IDS_OFFSET = 16;

function idsAt(address: number | bigint): Uint32Array | undefined {
  const from = Number(address);
  if (from === 0) return undefined;
  const bytes = bytesAt(from, IDS_OFFSET + 8);
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset + IDS_OFFSET, bytes.byteOffset + IDS_OFFSET + 8));
}

/** The user of this name, or undefined. */
export function findUser(name: string): User | undefined {
  const ids = idsAt(getpwnam(name));
  return ids === undefined ? undefined : { name, userId: ids[0] as number, groupId: ids[1] as number };
}

/** The id of the group of this name, or undefined. */
export function findGroup(name: string): number | undefined {
  return idsAt(getgrnam(name))?.[0];
}
