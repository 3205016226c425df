/** A client on one kept connection: with `reuseport` listeners a worker of one's choice. */
import assert from "node:assert/strict";
import net from "node:net";
import type { TestServer } from "../http-server.ts";

const DEADLINE_MS = 10_000;

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

export class KeepAliveClient {
  readonly socket: net.Socket;
  private text = "";
  private wake: () => void = () => {};

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (data) => {
      this.text += data.toString("latin1");
      this.wake();
    });
    socket.on("close", () => this.wake());
    socket.on("error", () => {});
  }

  static async connect(port: number): Promise<KeepAliveClient> {
    const socket = net.connect(port, "127.0.0.1");
    await new Promise<void>((resolve, reject) => socket.on("connect", resolve).on("error", reject));
    return new KeepAliveClient(socket);
  }

  /** A connection to the worker with this pid, or to another one than `not`; the server must answer /pid with `$pid`. */
  static async of(
    { port }: TestServer,
    wanted: { readonly pid?: string; readonly not?: string },
  ): Promise<KeepAliveClient> {
    for (let tries = 0; tries < 200; tries++) {
      const client = await KeepAliveClient.connect(port);
      const { body } = await client.get("/pid");
      if (wanted.pid === undefined ? body !== wanted.not : body === wanted.pid) return client;
      client.close();
    }
    assert.fail("no connection reached the worker");
  }

  async get(target: string): Promise<Answer> {
    this.send(target);
    return this.receive();
  }

  send(target: string): void {
    this.socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  /** Something that was not asked for by `receive` yet has come. */
  get hasReceived(): boolean {
    return this.text !== "";
  }

  /** The next answer, which must have a Content-Length. */
  async receive(): Promise<Answer> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const end = this.text.indexOf("\r\n\r\n");
      const head = this.text.slice(0, end);
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
      if (end >= 0 && this.text.length >= end + 4 + length) {
        const body = this.text.slice(end + 4, end + 4 + length);
        this.text = this.text.slice(end + 4 + length);
        return { status: Number(head.slice(9, 12)), head, body };
      }
      assert.ok(!this.socket.destroyed && Date.now() < deadline, `no whole answer: ${this.text}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  close(): void {
    this.socket.destroy();
  }
}
