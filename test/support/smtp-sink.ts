/**
 * A mail relay that keeps what it is told, for tests: one line of JSON on standard output for each session. Also a program, for
 * hosts of a segment lab: `node smtp-sink.js PORT`. With a key and certificate it offers STARTTLS, or TLS from the first byte.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createSecureContext, createServer as createTlsServer, TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";

/** What one client has said. */
export interface SmtpSession {
  readonly commands: readonly string[];
  /** Between DATA and the dot, as it came. */
  readonly data: string;
  readonly isEncrypted: boolean;
  /** It said QUIT. */
  readonly isWhole: boolean;
}

export interface SinkOptions {
  readonly tls?: { readonly key: string; readonly cert: string; readonly isImplicit: boolean };
  /** `user password`; anything else is refused. */
  readonly login?: string;
  /** Never says a word. */
  readonly isDeaf?: boolean;
}

/** A sink that listens. */
export interface Sink {
  readonly port: number;
  /** Ends it and all that is connected to it. */
  close(): void;
}

/** Listens on `port` of the loopback (0: any) and tells every session when it ends. */
export async function startSink(
  port: number,
  options: SinkOptions,
  onSession: (session: SmtpSession) => void,
): Promise<Sink> {
  const sockets = new Set<Socket>();
  const take = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    if (options.isDeaf !== true) new Conversation(socket, options, onSession);
  };
  const { tls } = options;
  const server: Server =
    tls?.isImplicit === true ? createTlsServer({ key: tls.key, cert: tls.cert }, take) : createServer(take);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

class Conversation {
  readonly #options: SinkOptions;
  readonly #commands: string[] = [];
  #socket: Socket;
  #rest = "";
  #data = "";
  #isData = false;
  #isWhole = false;
  #isEncrypted: boolean;

  constructor(socket: Socket, options: SinkOptions, onSession: (session: SmtpSession) => void) {
    this.#options = options;
    this.#socket = socket;
    this.#isEncrypted = socket instanceof TLSSocket;
    this.#listen();
    this.#say("220 sink ESMTP");
    socket.on("close", () =>
      onSession({
        commands: this.#commands,
        data: this.#data,
        isEncrypted: this.#isEncrypted,
        isWhole: this.#isWhole,
      }),
    );
  }

  #listen(): void {
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text) => this.#hear(String(text)));
    this.#socket.on("error", () => {}); // a client may leave as it likes
  }

  #say(line: string): void {
    this.#socket.write(`${line}\r\n`);
  }

  #hear(text: string): void {
    this.#rest += text;
    for (let end = this.#rest.indexOf("\r\n"); end >= 0; end = this.#rest.indexOf("\r\n")) {
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + 2);
      if (!this.#isData) this.#command(line);
      else if (line !== ".") this.#data += `${line}\r\n`;
      else {
        this.#isData = false;
        this.#say("250 taken");
      }
    }
  }

  #command(line: string): void {
    this.#commands.push(line);
    const { tls, login } = this.#options;
    const [verb = "", second, third] = line.split(" ");
    switch (verb.toUpperCase()) {
      case "EHLO": {
        const more = [
          ...(tls !== undefined && !this.#isEncrypted ? ["STARTTLS"] : []),
          ...(login === undefined ? [] : ["AUTH PLAIN"]),
        ];
        this.#socket.write(
          ["sink", ...more].map((word, i, all) => `250${i + 1 < all.length ? "-" : " "}${word}\r\n`).join(""),
        );
        break;
      }
      case "STARTTLS":
        if (tls === undefined) this.#say("502 not here");
        else {
          this.#say("220 go on");
          this.#encrypt();
        }
        break;
      case "AUTH": {
        const words = Buffer.from(third ?? "", "base64")
          .toString()
          .split("\0")
          .slice(1)
          .join(" ");
        this.#say(second === "PLAIN" && words === login ? "235 welcome" : "535 no");
        break;
      }
      case "DATA":
        this.#isData = true;
        this.#say("354 go on");
        break;
      case "QUIT":
        this.#isWhole = true;
        this.#say("221 bye");
        this.#socket.end();
        break;
      default:
        this.#say("250 ok");
    }
  }

  #encrypt(): void {
    const { tls } = this.#options;
    if (tls === undefined) return;
    const plain = this.#socket;
    plain.removeAllListeners("data");
    this.#socket = new TLSSocket(plain, {
      isServer: true,
      secureContext: createSecureContext({ key: tls.key, cert: tls.cert }),
    });
    this.#isEncrypted = true;
    this.#rest = "";
    this.#listen();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await startSink(Number(process.argv[2]), {}, (session) => process.stdout.write(`${JSON.stringify(session)}\n`));
  process.stdout.write("listening\n");
}
