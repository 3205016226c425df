/** gRPC servers for tests of health checks: one that is well (node:http2), and one that sends what it is told to. */
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";

/** A request for a check as the server has seen it. */
export interface SeenCheck {
  /** Counts connections from 0. */
  readonly connection: number;
  readonly headers: http2.IncomingHttpHeaders;
  /** The message with its prefix, in hexadecimal digits. */
  readonly message: string;
}

/** What it does with a check. */
export type CheckReply = (stream: http2.ServerHttp2Stream) => void;

/** A gRPC message with a prefix. */
export function grpcMessage(...bytes: number[]): Buffer {
  return Buffer.from([0, 0, 0, 0, bytes.length, ...bytes]);
}

/** An answer: a message if there is one, then the trailers. */
export function answers(status: number, message?: Buffer, headers = {}): CheckReply {
  return (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { waitForTrailers: true });
    stream.on("wantTrailers", () => {
      if (!stream.destroyed) stream.sendTrailers({ "grpc-status": String(status) });
    });
    stream.end(message);
  };
}

export const serving: CheckReply = answers(0, grpcMessage(8, 1));
export const notServing: CheckReply = answers(0, grpcMessage(8, 2));
/** Without a body the status is where the answer begins (Trailers-Only). */
export const unimplemented: CheckReply = (stream) =>
  stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "12" }, { endStream: true });

/** node:http2, answering every check with what `reply` is now. */
export class GrpcServer {
  reply: CheckReply = serving;
  readonly seen: SeenCheck[] = [];
  readonly sessions = new Set<http2.ServerHttp2Session>();
  connections = 0;
  private readonly server: http2.Http2Server;

  private constructor(settings: http2.Settings) {
    this.server = http2.createServer({ settings });
    this.server.on("session", (session) => {
      const connection = this.connections++;
      this.sessions.add(session);
      session.on("error", () => {});
      session.on("close", () => this.sessions.delete(session));
      session.on("stream", (stream, headers) => {
        let message = "";
        stream.on("error", () => {});
        stream.on("data", (data) => (message += data.toString("hex")));
        stream.on("end", () => {
          this.seen.push({ connection, headers, message });
          // Who asks may have given up meanwhile.
          if (!stream.destroyed) this.reply(stream);
        });
      });
    });
  }

  static async listen(settings: http2.Settings = {}): Promise<GrpcServer> {
    const grpc = new GrpcServer(settings);
    await new Promise<void>((resolve) => grpc.server.listen(0, "127.0.0.1", resolve));
    grpc.server.unref(); // guest.ts has the reason
    return grpc;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    for (const session of this.sessions) session.destroy();
    this.server.close();
  }
}

/** Does what a test wants as soon as a check of the whole server has come. */
export class RawGrpcServer {
  /** `time` counts the checks of a connection, from 0. */
  onAsked: (socket: net.Socket, time: number) => void = () => {};
  private readonly server: net.Server;
  readonly sockets = new Set<net.Socket>();

  private constructor() {
    this.server = net.createServer({ noDelay: true }, (socket) => {
      let bytes = Buffer.alloc(0);
      let times = 0;
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
      socket.on("error", () => {});
      socket.on("data", (data) => {
        bytes = Buffer.concat([bytes, data]);
        // A DATA frame with END_STREAM and an empty message.
        const at = bytes.indexOf(Buffer.from("00000500010000", "hex"));
        if (at < 0 || bytes.length < at + 14) return;
        bytes = bytes.subarray(at + 14);
        this.onAsked(socket, times++);
      });
    });
  }

  static async listen(): Promise<RawGrpcServer> {
    const raw = new RawGrpcServer();
    await new Promise<void>((resolve) => raw.server.listen(0, "127.0.0.1", resolve));
    raw.server.unref(); // guest.ts has the reason
    return raw;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}
