/** A name server for tests, over UDP and TCP on one port of 127.0.0.1: what it answers is the test's own. */
import dgram from "node:dgram";
import net from "node:net";
import { A, AAAA, CNAME, SRV } from "../../src/wire/dns/message.ts";
import { decodeName, encodeName } from "../../src/wire/dns/name.ts";

/** One question as it came. */
export interface Asked {
  readonly name: string;
  readonly type: number;
  readonly via: "udp" | "tcp";
}

/** Records with flags or a code; nothing: no answer at all. */
export type NameReply = { readonly records?: readonly Uint8Array[]; readonly flags?: number } | undefined;

const HEADER_BYTES = 12;

export class NameServer {
  readonly asked: Asked[] = [];
  readonly port: number;
  reply: (asked: Asked) => NameReply;
  private readonly udp: dgram.Socket;
  private readonly tcp: net.Server;
  private readonly streams = new Set<net.Socket>();

  private constructor(udp: dgram.Socket, tcp: net.Server, reply: NameServer["reply"]) {
    this.udp = udp;
    this.tcp = tcp;
    this.reply = reply;
    this.port = udp.address().port;
    udp.on("message", (message, from) => {
      const bytes = this.answerTo(message, "udp");
      if (bytes !== undefined) udp.send(bytes, from.port, from.address);
    });
    tcp.on("connection", (socket) => this.serve(socket));
  }

  static async listen(reply: NameServer["reply"]): Promise<NameServer> {
    for (;;) {
      const udp = dgram.createSocket("udp4");
      await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
      const tcp = net.createServer();
      const isOurs = await new Promise<boolean>((resolve) => {
        tcp.once("error", () => resolve(false));
        tcp.listen(udp.address().port, "127.0.0.1", () => resolve(true));
      });
      if (!isOurs) {
        udp.close();
        continue;
      }
      // guest.ts has the reason.
      udp.unref();
      tcp.unref();
      return new NameServer(udp, tcp, reply);
    }
  }

  /** How often a name was asked for. */
  count(of: string, type = A): number {
    return this.asked.filter((one) => one.name === of && one.type === type).length;
  }

  close(): void {
    this.udp.close();
    this.tcp.close();
    for (const stream of this.streams) stream.destroy();
  }

  private serve(socket: net.Socket): void {
    let pending = Buffer.alloc(0);
    this.streams.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.streams.delete(socket));
    socket.on("data", (data) => {
      pending = Buffer.concat([pending, data]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const size = pending.readUInt16BE(0);
        const bytes = this.answerTo(pending.subarray(2, 2 + size), "tcp");
        pending = pending.subarray(2 + size);
        if (bytes === undefined) continue;
        socket.write(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff));
        socket.write(bytes);
      }
    });
  }

  private answerTo(message: Buffer, via: Asked["via"]): Uint8Array | undefined {
    const question = decodeName(message, HEADER_BYTES);
    if (!question.ok) throw new Error(question.reason);
    const asked = { name: question.value, type: message.readUInt16BE(message.length - 4), via };
    this.asked.push(asked);
    const reply = this.reply(asked);
    if (reply === undefined) return undefined;
    return compose(message.readUInt16BE(0), asked, reply);
  }
}

/** Flag of a truncated answer. */
export const TRUNCATED = 0x0200;
/** A pointer to the name in the question. */
const ASKED_NAME = Buffer.of(0xc0, HEADER_BYTES);

function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index);
  return bytes;
}

function labels(name: string): Uint8Array {
  const bytes = encodeName(name);
  if (bytes === undefined) throw new Error(`no name: ${name}`);
  return bytes;
}

function compose(id: number, asked: Asked, { records = [], flags = 0 }: NonNullable<NameReply>): Uint8Array {
  const header = u16(id, 0x8180 | flags, 1, records.length, 0, 0);
  return Buffer.concat([header, labels(asked.name), u16(asked.type, 1), ...records]);
}

function record(type: number, ttlS: number, data: Uint8Array): Uint8Array {
  return Buffer.concat([ASKED_NAME, u16(type, 1, ttlS >>> 16, ttlS & 0xffff, data.length), data]);
}

/** An IPv4 address of the name that was asked for. */
export function a(address: string, ttlS = 60): Uint8Array {
  return record(A, ttlS, Uint8Array.from(address.split("."), Number));
}

/** The IPv6 address ::1. */
export function aaaa(ttlS = 60): Uint8Array {
  return record(
    AAAA,
    ttlS,
    Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 1 : 0)),
  );
}

/** Another name for the one that was asked for. */
export function cname(target: string, ttlS = 60): Uint8Array {
  return record(CNAME, ttlS, labels(target));
}

/** A server of the service that was asked for. */
export function service([priority, weight, port]: readonly [number, number, number], target: string, ttlS = 60) {
  return record(SRV, ttlS, Buffer.concat([u16(priority, weight, port), labels(target)]));
}
