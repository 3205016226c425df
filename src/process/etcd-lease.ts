/**
 * A lease of etcd (v3, over its JSON gateway): a key that exists for as long as its holder renews it, made only where it does not exist. So one
 * node at a time has it, wherever the network breaks. Counterpart: the election of etcd's own concurrency package.
 */
import { request } from "node:http";
import type { Witness } from "../conf/keepalived/config.ts";

/** An answer of etcd is a few hundred bytes. */
const MAX_ANSWER_BYTES = 64 << 10;
const RELEASE_MS = 1000;

type Json = { readonly [name: string]: unknown };

export class EtcdLease {
  readonly #witness: Witness;
  readonly #ttlS: number;
  readonly #node: string;
  #id: string | undefined;
  #isHeld = false;

  /** etcd forgets the holder no sooner than the holder itself does: the lease lasts `validMs` and a second, in whole seconds. */
  constructor(witness: Witness, validMs: number, node: string) {
    this.#witness = witness;
    this.#ttlS = Math.ceil(validMs / 1000) + 1;
    this.#node = node;
  }

  /** Takes the lease, or renews it. Rejects when another node has it, or etcd does not answer. */
  async hold(timeoutMs: number): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    if (this.#id !== undefined) {
      const id = this.#id;
      const { result } = await this.#post("/v3/lease/keepalive", { ID: id }, deadline);
      const { TTL: ttl = "0" } = (result ?? {}) as Json;
      if (this.#id !== id) throw new Error("was given back");
      if (Number(ttl) > 0 && this.#isHeld) return;
      if (Number(ttl) <= 0) this.#forget(); // it has run out, and is made anew
    }
    if (this.#id === undefined) {
      const { ID: id } = await this.#post("/v3/lease/grant", { TTL: String(this.#ttlS) }, deadline);
      if (typeof id !== "string") throw new Error("etcd gives no lease");
      this.#id = id;
    }
    const id = this.#id;
    const key = base64(this.#witness.path);
    const { succeeded, responses } = await this.#post(
      "/v3/kv/txn",
      {
        compare: [{ key, target: "CREATE", result: "EQUAL", create_revision: "0" }],
        success: [{ request_put: { key, value: base64(this.#node), lease: id } }],
        failure: [{ request_range: { key } }],
      },
      deadline,
    );
    if (this.#id !== id) throw new Error("was given back");
    // The answer to the first question may have been lost: then the key is ours already.
    if (succeeded !== true && leaseOf(responses) !== id) throw new Error("another node holds the lease");
    this.#isHeld = true;
  }

  /** Gives it back at once, as far as etcd can be reached; otherwise it runs out. */
  release(): void {
    const id = this.#id;
    this.#forget();
    if (id !== undefined) this.#post("/v3/lease/revoke", { ID: id }, AbortSignal.timeout(RELEASE_MS)).catch(() => {}); // it runs out by itself
  }

  #forget(): void {
    this.#id = undefined;
    this.#isHeld = false;
  }

  #post(path: string, body: Json, signal: AbortSignal): Promise<Json> {
    const { host, port } = this.#witness;
    const text = JSON.stringify(body);
    const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) };
    return new Promise((resolve, reject) => {
      const asked = request({ host, port, path, method: "POST", headers, agent: false, signal }, (answer) => {
        let read = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => {
          read += part;
          if (read.length > MAX_ANSWER_BYTES) asked.destroy(new Error("etcd says too much"));
        });
        answer.on("error", reject);
        answer.on("end", () => {
          try {
            if (answer.statusCode !== 200) throw new Error(`etcd answered ${answer.statusCode}`);
            resolve(JSON.parse(read) as Json);
          } catch (error) {
            reject(error as Error);
          }
        });
      });
      asked.on("error", reject);
      asked.end(text);
    });
  }
}

/** Of the key that was found instead. */
function leaseOf(responses: unknown): string | undefined {
  const [first] = Array.isArray(responses) ? (responses as readonly Json[]) : [];
  const { kvs } = (first?.["response_range"] ?? {}) as { readonly kvs?: readonly Json[] };
  const lease = kvs?.[0]?.["lease"];
  return typeof lease === "string" ? lease : undefined;
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
