/** The head of an answer as CGI programs write it (RFC 3875 §6): header lines, of which `Status` and `Location` say the status. */
import { latin1 } from "../base/bytes.ts";
import {
  HEAD_COMPLETE,
  HEAD_INCOMPLETE,
  HEAD_NO_STATUS,
  LOCATION_FIELD,
  RESPONSE_STRIDE,
  type ResponseHead,
  STATUS_FIELD,
} from "../wire/http1/response-head.ts";
import { READ_DONE, READ_FAILED, READ_MORE, type ReaderUser, type Reading } from "./upstream-protocol.ts";

const OK = 200;
const FOUND = 302;
const STATUS_DIGITS = 3;
const HTTP_11 = 1001;
const FIRST_BYTES = 1024;

/** Collects a head and says what it means. */
export class CgiHead {
  /** Bytes of what was collected that stand behind the head. */
  surplus = 0;
  private readonly user: ReaderUser;
  /** HTTP's status line may stand in front. */
  private readonly takesStatusLine: boolean;
  private bytes = new Uint8Array(0);
  private kept = 0;

  constructor(user: ReaderUser, takesStatusLine: boolean) {
    this.user = user;
    this.takesStatusLine = takesStatusLine;
  }

  begin(): void {
    this.kept = 0;
    this.surplus = 0;
  }

  /** Goes on with these bytes; with what was there before they may be no more than `room`. */
  read(source: Uint8Array, start: number, end: number, room: number): Reading {
    const { head } = this.user;
    const size = Math.min(end - start, room - this.kept);
    this.grow(this.kept + size, room);
    if (this.kept === 0) this.beginHead();
    this.bytes.set(source.subarray(start, start + size), this.kept);
    this.kept += size;
    let result = head.parse(this.kept);
    if (result === HEAD_NO_STATUS) {
      head.beginFields(this.bytes, 0);
      result = head.parse(this.kept);
    }
    if (result === HEAD_COMPLETE) {
      this.surplus = end - start - size + this.kept - head.scanned;
      return head.status > 0 || this.readStatus() ? READ_DONE : READ_FAILED;
    }
    if (result !== HEAD_INCOMPLETE) {
      const bad = head.bytes[head.errorEnd] ?? 0;
      const line = latin1(head.bytes, head.errorStart, head.errorEnd);
      this.user.log("error", `upstream sent invalid header: "${line}\\x${bad.toString(16).padStart(2, "0")}..."`);
      return READ_FAILED;
    }
    if (this.kept < room) return READ_MORE;
    this.user.log("error", "upstream sent too big header");
    return READ_FAILED;
  }

  private beginHead(): void {
    const { head } = this.user;
    if (this.takesStatusLine) head.begin(this.bytes, 0);
    else head.beginFields(this.bytes, 0);
  }

  private grow(sizeBytes: number, room: number): void {
    if (sizeBytes <= this.bytes.length) return;
    const larger = new Uint8Array(Math.min(room, Math.max(FIRST_BYTES, sizeBytes, 2 * this.bytes.length)));
    larger.set(this.bytes.subarray(0, this.kept), 0);
    this.bytes = larger;
    this.user.head.bytes = larger;
  }

  /** False when it is none, which has been logged. nginx: the end of ngx_http_fastcgi_process_header. */
  private readStatus(): boolean {
    const { head } = this.user;
    head.version = HTTP_11;
    head.statusStart = 0;
    head.statusEnd = 0;
    const index = findKnown(head, STATUS_FIELD);
    if (index < 0) {
      head.status = findKnown(head, LOCATION_FIELD) < 0 ? OK : FOUND;
      return true;
    }
    const value = head.value(index);
    const digits = value.slice(0, STATUS_DIGITS);
    if (!/^\d{3}$/.test(digits)) {
      this.user.log("error", `upstream sent invalid status "${value}"`);
      return false;
    }
    head.status = Number(digits);
    if (value.length > STATUS_DIGITS) {
      head.statusStart = head.fields[index * RESPONSE_STRIDE + 2] as number;
      head.statusEnd = head.fields[index * RESPONSE_STRIDE + 3] as number;
    }
    return true;
  }
}

function findKnown(head: ResponseHead, field: number): number {
  for (let index = 0; index < head.fieldCount; index++) if (head.field(index) === field) return index;
  return -1;
}
