/**
 * Numbers of users as the userid module makes them: 16 bytes that no other worker makes at any time. Counterpart in nginx:
 * ngx_http_userid_create_uid. Words of four bytes are printed, and made in the first version, with the low byte first, as nginx
 * does on all machines that it is common on.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";

const FIRST_OF_V2 = 0x03030302;
const STEP = 0x100;

/** Where a number in the newer version begins: the server's number, or the address that the client has connected to. */
export type Origin = number | IpAddress;

/** Makes numbers; one of them in a worker. */
export class UserIds {
  /** Tells this worker, and this run of it, from all others. */
  private readonly start: number;
  private next1 = 1;
  private next2 = FIRST_OF_V2;

  /** `random`: 16 bits. */
  constructor(random: number, processId: number) {
    this.start = ((random << 16) | processId) >>> 0;
  }

  /** A number of the first version, which has the words of the machine. */
  makeOld(service: number, nowS: number): Bytes {
    const id = words([service, nowS, this.start, this.next1], true);
    this.next1 = (this.next1 + STEP) >>> 0;
    return id;
  }

  /** A number of the second version, whose words are in network order. */
  make(origin: Origin, nowS: number): Bytes {
    const id = words([typeof origin === "number" ? origin : 0, nowS, this.start, this.next2], false);
    if (typeof origin !== "number") id.set(origin.subarray(origin.length - 4));
    this.next2 = (this.next2 + STEP) >>> 0;
    if (this.next2 < FIRST_OF_V2) this.next2 = FIRST_OF_V2;
    return id;
  }
}

function words(values: readonly number[], isLittleEndian: boolean): Bytes {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setUint32(4 * i, value >>> 0, isLittleEndian);
  });
  return bytes;
}

/** The last word is never 0, except where there is no number. */
export function isUserId(id: Bytes): boolean {
  return id[12] !== 0 || id[13] !== 0 || id[14] !== 0 || id[15] !== 0;
}

/** 32 hexadecimal digits. */
export function printUserId(id: Bytes): string {
  const view = new DataView(id.buffer, id.byteOffset);
  let text = "";
  for (let i = 0; i < 16; i += 4) text += view.getUint32(i, true).toString(16).toUpperCase().padStart(8, "0");
  return text;
}
