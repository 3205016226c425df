/** The unix socket that answers every connection with the status document as JSON, and closes it. */
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import os from "node:os";
import path from "node:path";
import type { HttpStatus, StatusDocument, VrrpStatus } from "../admin/status.ts";
import { TANDEM_VERSION } from "../base/version.ts";

/** Where `tandem status` asks unless it is told otherwise. */
export const DEFAULT_STATUS_SOCKET = "/run/tandem.sock";
/** A status document is a few KiB; more is not one. */
const MAX_DOCUMENT_BYTES = 16 << 20;
const ANSWER_MS = 5000;

/** The halves that run in this process; each may have nothing to say. */
export interface StatusSources {
  readonly vrrp?: () => Promise<VrrpStatus>;
  readonly http?: () => HttpStatus | Promise<HttpStatus>;
}

/** A server that is open until it is closed; its file is removed then. */
export class StatusSocket {
  readonly #path: string;
  readonly #sources: StatusSources;
  readonly #server: Server;
  readonly #startedMs = Date.now();

  constructor(socketPath: string, sources: StatusSources) {
    this.#path = socketPath;
    this.#sources = sources;
    this.#server = createServer((client) => {
      client.on("error", () => client.destroy());
      this.#document().then(
        (document) => client.end(`${JSON.stringify(document)}\n`),
        (error: Error) => client.end(`${JSON.stringify({ error: error.message })}\n`),
      );
    });
  }

  /** Rejects when something else is there, or the file can't be made. A socket that nobody answers on is replaced. */
  async open(): Promise<void> {
    if (await isAnswered(this.#path)) throw new Error(`${this.#path} is in use by another program`);
    mkdirSync(path.dirname(this.#path), { recursive: true });
    const left = lstatSync(this.#path, { throwIfNoEntry: false });
    if (left?.isSocket() === true) unlinkSync(this.#path);
    else if (left !== undefined) throw new Error(`${this.#path} is there already and no socket`);
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#path, () => {
        this.#server.removeListener("error", reject);
        resolve();
      });
    });
    chmodSync(this.#path, 0o660);
  }

  async #document(): Promise<StatusDocument> {
    const [vrrp, http] = await Promise.all([this.#sources.vrrp?.(), this.#sources.http?.()]);
    return {
      version: TANDEM_VERSION,
      host: os.hostname(),
      pid: process.pid,
      startedAt: new Date(this.#startedMs).toISOString(),
      now: new Date().toISOString(),
      vrrp: vrrp ?? null,
      http: http ?? null,
    };
  }

  close(): void {
    this.#server.close();
    try {
      unlinkSync(this.#path);
    } catch {
      // Somebody else has removed it.
    }
  }
}

function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socketPath);
    client.on("connect", () => {
      client.destroy();
      resolve(true);
    });
    client.on("error", () => resolve(false));
  });
}

/** Asks a running node. Rejects with a sentence for people. */
export function askStatus(socketPath: string): Promise<StatusDocument> {
  return new Promise((resolve, reject) => {
    const client = connect(socketPath);
    let text = "";
    client.setEncoding("utf8");
    client.setTimeout(ANSWER_MS, () => client.destroy(new Error("no answer in time")));
    client.on("error", (error) => reject(new Error(`no Tandem answers on ${socketPath}: ${error.message}`)));
    client.on("data", (part: string) => {
      text += part;
      if (text.length > MAX_DOCUMENT_BYTES) client.destroy(new Error("the answer is too long"));
    });
    client.on("end", () => {
      try {
        const document = JSON.parse(text) as StatusDocument | { error: string };
        if ("error" in document) reject(new Error(document.error));
        else resolve(document);
      } catch {
        reject(new Error(`what answers on ${socketPath} is no Tandem`));
      }
    });
  });
}
