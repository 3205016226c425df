/** A client of a test that says and hears bytes when the test wants it to. */
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE_MS = 10_000;

export class Talker {
  readonly socket: net.Socket;
  /** Fulfilled when the connection is closed, by whomever. */
  readonly closed: Promise<void>;
  isClosed = false;
  private readonly received: Buffer[] = [];
  private receivedBytes = 0;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (data) => {
      this.received.push(data);
      this.receivedBytes += data.length;
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) =>
      socket.on("close", () => {
        this.isClosed = true;
        resolve();
      }),
    );
  }

  static async connect(port: number): Promise<Talker> {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: false });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Talker(socket);
  }

  /** Everything that has come, a character a byte. */
  get text(): string {
    return Buffer.concat(this.received).toString("latin1");
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Says the last and sends FIN. */
  end(text = ""): void {
    this.socket.end(text, "latin1");
  }

  /** What has come when it matches; throws when it does not in ten seconds. */
  async until(pattern: RegExp): Promise<string> {
    return this.wait(() => pattern.test(this.text), String(pattern));
  }

  async untilLength(sizeBytes: number): Promise<string> {
    return this.wait(() => this.receivedBytes >= sizeBytes, `${sizeBytes} bytes`);
  }

  private async wait(done: () => boolean, what: string): Promise<string> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!done()) {
      if (this.isClosed || performance.now() > deadline) {
        if (done()) break;
        throw new Error(`no ${what} in ${this.receivedBytes} bytes: ${JSON.stringify(this.text.slice(0, 500))}`);
      }
      await sleep(5);
    }
    return this.text;
  }
}
