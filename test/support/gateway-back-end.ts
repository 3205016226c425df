/** Back ends that speak FastCGI, SCGI, uwsgi and memcached, on node:net, for tests: what they answer is the test's own bytes. */
import net from "node:net";

/** A request as such a back end has seen it. */
export interface GatewayRequest {
  readonly params: ReadonlyMap<string, string>;
  /** In the order in which they came. */
  readonly names: readonly string[];
  readonly body: string;
  /** Lengths of the records that the body came in; of FastCGI only. */
  readonly records: readonly number[];
  /** FastCGI's KEEP_CONN, uwsgi's modifiers. */
  readonly flags: number;
  /** Counts connections from 0. */
  readonly connection: number;
}

/** A whole request at the beginning of some bytes, and its length; undefined while it is incomplete. */
type Parse = (
  bytes: Buffer,
) => { readonly request: Omit<GatewayRequest, "connection">; readonly size: number } | undefined;
export type GatewayReply = string | Buffer | ((socket: net.Socket, request: GatewayRequest) => void);

export class GatewayBackEnd {
  readonly seen: GatewayRequest[] = [];
  connections = 0;
  private readonly server: net.Server;
  private readonly sockets = new Set<net.Socket>();

  private constructor(parse: Parse, reply: (request: GatewayRequest) => GatewayReply) {
    this.server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      const connection = this.connections++;
      let bytes = Buffer.alloc(0);
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
      socket.on("error", () => {});
      socket.on("end", () => socket.end());
      socket.on("data", (data) => {
        bytes = Buffer.concat([bytes, data]);
        const parsed = parse(bytes);
        if (parsed === undefined) return;
        bytes = bytes.subarray(parsed.size);
        const request = { ...parsed.request, connection };
        this.seen.push(request);
        const answer = reply(request);
        if (typeof answer === "function") answer(socket, request);
        else socket.write(typeof answer === "string" ? Buffer.from(answer, "latin1") : answer);
      });
    });
  }

  static async listen(parse: Parse, reply: (request: GatewayRequest) => GatewayReply): Promise<GatewayBackEnd> {
    const backEnd = new GatewayBackEnd(parse, reply);
    await new Promise<void>((resolve) => backEnd.server.listen(0, "127.0.0.1", resolve));
    return backEnd;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as net.AddressInfo).port}`;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

function requestOf(
  pairs: readonly (readonly [string, string])[],
  rest: Partial<GatewayRequest>,
): Omit<GatewayRequest, "connection"> {
  return { params: new Map(pairs), names: pairs.map(([name]) => name), body: "", records: [], flags: 0, ...rest };
}

/** FastCGI 1.0: BEGIN_REQUEST, PARAMS, STDIN. */
export const parseFastcgi: Parse = (bytes) => {
  let at = 0;
  let flags = 0;
  let params = "";
  let body = "";
  const records: number[] = [];
  while (at + 8 <= bytes.length) {
    const type = bytes[at + 1];
    const size = bytes.readUInt16BE(at + 4);
    const next = at + 8 + size + (bytes[at + 6] ?? 0);
    if (next > bytes.length) return undefined;
    const content = bytes.toString("latin1", at + 8, at + 8 + size);
    at = next;
    if (type === 1) flags = content.charCodeAt(2);
    else if (type === 4) params += content;
    else if (type === 5 && size === 0)
      return { request: requestOf(fastcgiPairs(params), { body, records, flags }), size: at };
    else if (type === 5) {
      body += content;
      records.push(size);
    }
  }
  return undefined;
};

function fastcgiPairs(text: string): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = [];
  let at = 0;
  const length = (): number => {
    const first = text.charCodeAt(at++);
    if (first < 128) return first;
    at += 3;
    return Buffer.from(text.slice(at - 4, at), "latin1").readUInt32BE() & 0x7fffffff;
  };
  while (at < text.length) {
    const nameLength = length();
    const valueLength = length();
    pairs.push([text.slice(at, at + nameLength), text.slice(at + nameLength, at + nameLength + valueLength)]);
    at += nameLength + valueLength;
  }
  return pairs;
}

/** A netstring, then as many bytes as its CONTENT_LENGTH says. */
export const parseScgi: Parse = (bytes) => {
  const text = bytes.toString("latin1");
  const match = /^(\d+):/.exec(text);
  if (match === null) return undefined;
  const start = match[0].length;
  const end = start + Number(match[1]);
  if (text.length < end + 1) return undefined;
  const words = text.slice(start, end).split("\0");
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < words.length; index += 2) pairs.push([words[index] ?? "", words[index + 1] ?? ""]);
  const size = end + 1 + Number(pairs[0]?.[1]);
  if (text[end] !== "," || text.length < size) return undefined;
  return { request: requestOf(pairs, { body: text.slice(end + 1, size) }), size };
};

/** A packet, then as many bytes as its CONTENT_LENGTH says. */
export const parseUwsgi: Parse = (bytes) => {
  if (bytes.length < 4) return undefined;
  const end = 4 + bytes.readUInt16LE(1);
  if (bytes.length < end) return undefined;
  const pairs: [string, string][] = [];
  for (let at = 4; at < end; ) {
    const name = bytes.toString("latin1", at + 2, at + 2 + bytes.readUInt16LE(at));
    at += 2 + name.length;
    const value = bytes.toString("latin1", at + 2, at + 2 + bytes.readUInt16LE(at));
    at += 2 + value.length;
    pairs.push([name, value]);
  }
  const length = Number(new Map(pairs).get("CONTENT_LENGTH") || 0);
  if (bytes.length < end + length) return undefined;
  const flags = (bytes[0] ?? 0) * 256 + (bytes[3] ?? 0);
  return {
    request: requestOf(pairs, { body: bytes.toString("latin1", end, end + length), flags }),
    size: end + length,
  };
};

/** One line of memcached's text protocol. */
export const parseLine: Parse = (bytes) => {
  const end = bytes.indexOf("\r\n");
  if (end < 0) return undefined;
  return { request: requestOf([["line", bytes.toString("latin1", 0, end)]], {}), size: end + 2 };
};

/** Records of FastCGI. */
export function record(type: number, content = "", padding = 0): Buffer {
  const body = Buffer.from(content, "latin1");
  const header = Buffer.from([1, type, 0, 1, body.length >> 8, body.length & 0xff, padding, 0]);
  return Buffer.concat([header, body, Buffer.alloc(padding)]);
}

export const STDOUT = 6;
export const STDERR = 7;

/** A usual FastCGI answer: its output in one record, or in records of so many bytes. */
export function answered(output: string, recordBytes = 0x8000, padding = 0): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < output.length; at += recordBytes)
    records.push(record(STDOUT, output.slice(at, at + recordBytes), padding));
  return Buffer.concat([...records, record(STDOUT), record(3, "\0".repeat(8))]);
}
