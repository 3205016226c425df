/** Messages to a syslog server over UDP or a unix datagram socket (RFC 3164 as nginx writes it). nginx: ngx_syslog.c. */
import os from "node:os";
import { fromLatin1 } from "../base/bytes.ts";
import type { SyslogSettings, SyslogSink } from "../io/logging.ts";
import { close } from "./ffi/files.ts";
import { MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, sendto, socket } from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";
import { encodeEndpoint, familyOf } from "./sockaddr.ts";

/** A datagram that is longer is cut: what nginx's buffer holds. */
const MESSAGE_BYTES = 4096;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number): string => (value < 10 ? `0${value}` : String(value));

/** Sends messages, one datagram each; what can't be sent at once is lost, as with nginx. */
export class SyslogSender implements SyslogSink {
  private readonly settings: SyslogSettings;
  private readonly memory = allocateMemory(MESSAGE_BYTES + 256);
  private readonly addressBytes: number;
  private fd = -1;

  constructor(settings: SyslogSettings) {
    this.settings = settings;
    this.addressBytes = encodeEndpoint(this.memory.bytes, MESSAGE_BYTES, settings.server);
  }

  /** `severity`: 0 emerg … 7 debug; `wallMs` is the time that the message shows. */
  send(severity: number, message: string, wallMs: number): void {
    if (this.fd < 0) {
      this.fd = socket(familyOf(this.settings.server), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (this.fd < 0) return;
    }
    const time = new Date(wallMs);
    const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
    const stamp = `${MONTHS[time.getMonth()]} ${String(time.getDate()).padStart(2)} ${clock}`;
    const host = this.settings.hostname ? ` ${os.hostname().toLowerCase()}` : "";
    const header = `<${this.settings.facility * 8 + severity}>${stamp}${host} ${this.settings.tag}: `;
    const bytes = fromLatin1(header + message).subarray(0, MESSAGE_BYTES);
    this.memory.bytes.set(bytes);
    const { address } = this.memory;
    const sent = sendto(this.fd, address, bytes.length, MSG_NOSIGNAL, address + MESSAGE_BYTES, this.addressBytes);
    // A refused datagram tells of the one before it: begin with a new socket next time.
    if (sent < 0) this.close();
  }

  close(): void {
    if (this.fd >= 0) close(this.fd);
    this.fd = -1;
  }
}
