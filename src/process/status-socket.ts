/**
 * The unix socket on which a node answers: a line "status", or nothing at all for a moment, with the status document; a line that
 * is an order (node-orders.ts) with what has become of it; a line "why" with flight records, "peers" with configurations. JSON in each case, one answer for each connection.
 */
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import os from "node:os";
import path from "node:path";
import type { HttpStatus, ServersStatus, StatusDocument, VrrpStatus } from "../admin/status.ts";
import { TANDEM_VERSION } from "../base/version.ts";
import type { FlightAnswer } from "./flight-desk.ts";
import { type NodeAnswer, type NodeOrder, readOrder } from "./node-orders.ts";
import type { PeersAnswer } from "./peers-answer.ts";

/** Where `tandem status` asks unless it is told otherwise. */
export const DEFAULT_STATUS_SOCKET = "/run/tandem.sock";

/** Programs in network namespaces of their own (`net_namespace`) have a socket each. */
export function defaultStatusSocket(namespace: string | undefined): string {
  return namespace === undefined ? DEFAULT_STATUS_SOCKET : `/run/tandem_${namespace}.sock`;
}
/** A status document is a few KiB; more is not one. */
const MAX_DOCUMENT_BYTES = 16 << 20;
const ANSWER_MS = 5000;
/** Whoever says nothing for so long wants the status. */
const SILENCE_MS = 200;
/** How often something is said that was not heard. */
const ATTEMPTS = 5;
/** An order is a line of a few names. */
const MAX_ORDER_BYTES = 64 << 10;

/** The halves that run in this process; each may have nothing to say. */
export interface StatusSources {
  readonly vrrp?: () => Promise<VrrpStatus>;
  readonly http?: () => HttpStatus | Promise<HttpStatus>;
  /** What has happened, and what is known of it elsewhere. */
  readonly why?: () => Promise<FlightAnswer>;
  /** What this node and its partners run. */
  readonly peers?: () => Promise<PeersAnswer>;
  readonly obey?: (order: NodeOrder) => Promise<NodeAnswer>;
  readonly servers?: () => Promise<ServersStatus | null>;
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
    // A client may end its own side behind its order.
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#serve(client));
  }

  #serve(client: Socket): void {
    let text = "";
    let isAnswered = false;
    const answer = (line: string): void => {
      if (isAnswered) return;
      isAnswered = true;
      clearTimeout(silence);
      this.#answer(line).then(
        (value) => client.end(`${JSON.stringify(value)}\n`),
        (error: Error) => client.end(`${JSON.stringify({ error: error.message })}\n`),
      );
    };
    const silence = setTimeout(() => answer("status"), SILENCE_MS);
    client.setEncoding("utf8");
    client.on("error", () => client.destroy());
    client.on("data", (part: string) => {
      text += part;
      const end = text.indexOf("\n");
      if (end >= 0) answer(text.slice(0, end));
      else if (text.length > MAX_ORDER_BYTES) client.destroy();
    });
    client.on("end", () => answer(text === "" ? "status" : text));
    client.on("close", () => clearTimeout(silence));
  }

  async #answer(line: string): Promise<StatusDocument | NodeAnswer | FlightAnswer | PeersAnswer> {
    if (line === "status") return this.#document();
    if (line === "why") {
      if (this.#sources.why === undefined) throw new Error("no VRRP runs on this node");
      return this.#sources.why();
    }
    if (line === "peers") {
      if (this.#sources.peers === undefined) throw new Error("no VRRP runs on this node");
      return this.#sources.peers();
    }
    const order = readOrder(line);
    if (typeof order === "string") throw new Error(order);
    if (this.#sources.obey === undefined) throw new Error("no VRRP runs on this node");
    return this.#sources.obey(order);
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
    const { vrrp: askVrrp, http: askHttp, servers: askServers } = this.#sources;
    const [vrrp, http, servers] = await Promise.all([askVrrp?.(), askHttp?.(), askServers?.()]);
    return {
      version: TANDEM_VERSION,
      host: os.hostname(),
      pid: process.pid,
      startedAt: new Date(this.#startedMs).toISOString(),
      now: new Date().toISOString(),
      vrrp: vrrp ?? null,
      http: http ?? null,
      servers: servers ?? null,
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

/** Asks a running node how it is. Rejects with a sentence for people. */
export function askStatus(socketPath: string): Promise<StatusDocument> {
  return ask(socketPath, "status", ANSWER_MS) as Promise<StatusDocument>;
}

/** Asks a running node for its flight record and those of its partners. Rejects with a sentence for people. */
export function askWhy(socketPath: string): Promise<FlightAnswer> {
  return askFor("records", socketPath, "why", ANSWER_MS + ANSWER_MS) as Promise<FlightAnswer>;
}

/** Asks a running node for its configuration and those of its partners. Rejects with a sentence for people. */
export function askPeers(socketPath: string): Promise<PeersAnswer> {
  return askFor("partners", socketPath, "peers", ANSWER_MS + ANSWER_MS) as Promise<PeersAnswer>;
}

/** Tells a running node what to do, and waits until it is done. Rejects with a sentence for people. */
export function orderNode(socketPath: string, order: NodeOrder): Promise<NodeAnswer> {
  return askFor("results", socketPath, JSON.stringify(order), undefined) as Promise<NodeAnswer>;
}

/** A line that a busy machine delivers late is answered with the status, as silence is: then it was not heard, and is said again. */
async function askFor(key: string, socketPath: string, line: string, timeoutMs: number | undefined): Promise<unknown> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const answer = await ask(socketPath, line, timeoutMs);
    if (key in answer) return answer;
  }
  throw new Error("the node has not heard what was asked, so nothing has been done: is this machine too busy?");
}

function ask(socketPath: string, line: string, timeoutMs: number | undefined): Promise<object> {
  return new Promise((resolve, reject) => {
    const client = connect(socketPath);
    let text = "";
    client.setEncoding("utf8");
    if (timeoutMs !== undefined) client.setTimeout(timeoutMs, () => client.destroy(new Error("no answer in time")));
    client.on("connect", () => client.write(`${line}\n`));
    client.on("error", (error) => reject(new Error(`no Tandem answers on ${socketPath}: ${error.message}`)));
    client.on("data", (part: string) => {
      text += part;
      if (text.length > MAX_DOCUMENT_BYTES) client.destroy(new Error("the answer is too long"));
    });
    client.on("end", () => {
      try {
        const document = JSON.parse(text) as object | { error: string };
        if ("error" in document) reject(new Error(document.error));
        else resolve(document);
      } catch {
        reject(new Error(`what answers on ${socketPath} is no Tandem`));
      }
    });
  });
}
