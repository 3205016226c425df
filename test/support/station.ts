/** The host of a segment lab that hears every advert and injects packets; see advert-station.ts. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { encodeIpv4 } from "../../src/wire/ipv4.ts";
import { VRRP_GROUP_4 } from "../../src/wire/vrrp/advert.ts";
import type { SegmentLab } from "./segment-lab.ts";

const PROGRAM = fileURLToPath(new URL("./advert-station.js", import.meta.url));

export interface Heard {
  /** CLOCK_MONOTONIC. */
  readonly atMs: number;
  readonly from: string;
  readonly vrid?: number;
  readonly priority?: number;
  /** Why the advert was malformed. */
  readonly reason?: string;
}

/** Milliseconds of the clock that `Heard.atMs` shows. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class Station {
  readonly heard: Heard[] = [];
  readonly #process: ChildProcess;
  isReady = false;

  constructor(lab: SegmentLab, host: string) {
    this.#process = lab.script(host, PROGRAM, []);
    assert.ok(this.#process.stdout);
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const heard = JSON.parse(line) as Heard;
      if (heard.from === undefined) this.isReady = true;
      else this.heard.push(heard);
    });
  }

  /** Sends a VRRP message to the group, by default as from the host `b`. */
  inject(message: Uint8Array, how: { readonly ttl?: number; readonly source?: Uint8Array } = {}): void {
    const { ttl = 255, source = Uint8Array.of(192, 168, 50, 134) } = how;
    const packet = encodeIpv4({ source, destination: VRRP_GROUP_4, protocol: 112, ttl, tos: 0xc0, id: 7 }, message);
    this.#process.stdin?.write(`${Buffer.from(packet).toString("hex")}\n`);
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.on("exit", resolve));
    this.#process.stdin?.end();
    await gone;
  }
}
