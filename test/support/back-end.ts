/** Back ends for tests of the proxy, on node:net, so that they can misbehave: what each connection gets is the test's own bytes. */
import net from "node:net";

/** One request as a back end has seen it: everything that came before the answer was given. */
export interface Seen {
  /** Counts connections from 0. */
  readonly connection: number;
  readonly text: string;
}

/** What to do with a request: bytes to send; or a function that does with the socket what it likes. */
export type Reply = string | ((socket: net.Socket, seen: Seen) => void);

/** Answers every request, whose body has come as far as Content-Length says, with what `reply` makes of it. */
export class BackEnd {
  readonly seen: Seen[] = [];
  /** Some bytes have come, perhaps not yet a whole request. */
  onBytes: (socket: net.Socket) => void = () => {};
  connections = 0;
  private readonly server: net.Server;
  private readonly sockets = new Set<net.Socket>();

  private constructor(reply: (seen: Seen) => Reply) {
    this.server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      const connection = this.connections++;
      let text = "";
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
      socket.on("error", () => {});
      socket.on("end", () => socket.end());
      socket.on("data", (data) => {
        this.onBytes(socket);
        text += data.toString("latin1");
        const end = wholeRequest(text);
        if (end < 0) return;
        const seen = { connection, text: text.slice(0, end) };
        text = text.slice(end);
        this.seen.push(seen);
        const answer = reply(seen);
        if (typeof answer === "string") socket.write(answer, "latin1");
        else answer(socket, seen);
      });
    });
    // It is there for the tests, which wait for their clients: nothing waits for it (guest.ts has the reason).
    this.server.unref();
  }

  static async listen(reply: (seen: Seen) => Reply, where?: string): Promise<BackEnd> {
    const backEnd = new BackEnd(reply);
    const { server } = backEnd;
    await new Promise<void>((resolve) => {
      if (where === undefined) server.listen(0, "127.0.0.1", resolve);
      else server.listen(where, resolve);
    });
    return backEnd;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as net.AddressInfo).port}`;
  }

  /** The last request. */
  get last(): string {
    return this.seen.at(-1)?.text ?? "";
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.sockets.size;
  }

  /** Closes every connection; listens on. */
  dropConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

/** Length of the first request in a text, -1 while it is incomplete. */
function wholeRequest(text: string): number {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return -1;
  const length = Number(/^content-length: (\d+)\r$/im.exec(text.slice(0, head + 2))?.[1] ?? 0);
  const end = head + 4 + length;
  return text.length >= end ? end : -1;
}

/** A usual answer. */
export function ok(body: string, ...lines: string[]): string {
  const head = ["HTTP/1.1 200 OK", `Content-Length: ${body.length}`, ...lines];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
