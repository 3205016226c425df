/**
 * Records on the peer channel (flight records, configurations): a node asks its partners for theirs, a part at a time, and answers when it is
 * asked. What a record is made of is not known here. Every question is repeated until it is answered, for a few seconds.
 */
import { type Bytes, concatBytes, equalBytes } from "../base/bytes.ts";
import { type Ask, PART_BYTES, type Part } from "../wire/peer/message.ts";
import type { Partner } from "./peer-channel.ts";

export type RecordKind = Ask["what"];

/** A record that is longer is not sent and not taken. */
export const MAX_RECORD_BYTES: Readonly<Record<RecordKind, number>> = { flight: 64 << 10, configuration: 512 << 10 };
/** Parts that are asked for at the same time. */
const WINDOW = 8;
const REPEAT_MS = 200;
/** A node that has not sent everything by then is left out. */
const PATIENCE_MS = 4000;
/** How long the same record is at hand for the rest of its parts. */
const KEEP_MS = 10_000;
/** Questions of more nodes at once are not answered. */
const MAX_READERS = 8;

/** What a partner has sent; `bytes` undefined: nothing, in time. */
export interface PartnerRecord {
  readonly partner: Partner;
  readonly bytes: Bytes | undefined;
}

export interface PartnerRecordsPorts {
  readonly partners: readonly Partner[];
  now(): number;
  randomId(): number;
  send(partner: Partner, message: Ask | Part): void;
  /** Makes this node's own record; `settle` is called once, later or not at all. */
  own(what: RecordKind, settle: (bytes: Bytes) => void): void;
}

interface Question {
  readonly partner: Partner;
  readonly what: RecordKind;
  readonly id: number;
  readonly endMs: number;
  readonly settle: (record: PartnerRecord) => void;
  parts: (Bytes | undefined)[];
  /** Parts that have come. */
  come: number;
  /** undefined: no part has come yet. */
  count: number | undefined;
  repeatMs: number;
}

/** A record that is being read by somebody. */
interface Held {
  readonly session: Bytes;
  readonly id: number;
  readonly untilMs: number;
  bytes: Bytes | undefined;
}

export class PartnerRecords {
  readonly #ports: PartnerRecordsPorts;
  #questions: Question[] = [];
  #held: Held[] = [];

  constructor(ports: PartnerRecordsPorts) {
    this.#ports = ports;
  }

  get nextMs(): number {
    return Math.min(
      Number.POSITIVE_INFINITY,
      ...this.#questions.map(({ repeatMs, endMs }) => Math.min(repeatMs, endMs)),
    );
  }

  /** Asks all partners, each once however many links it is heard on; `settle` is called with what has come. */
  ask(what: RecordKind, settle: (records: readonly PartnerRecord[]) => void): void {
    const partners = this.#ports.partners.filter(
      ({ session }, i, all) => all.findIndex((other) => equalBytes(other.session, session)) === i,
    );
    const records: PartnerRecord[] = [];
    if (partners.length === 0) settle(records);
    const nowMs = this.#ports.now();
    for (const partner of partners) {
      const question: Question = {
        partner,
        what,
        id: this.#ports.randomId(),
        endMs: nowMs + PATIENCE_MS,
        settle: (record) => {
          records.push(record);
          if (records.length === partners.length) settle(records);
        },
        parts: [],
        come: 0,
        count: undefined,
        repeatMs: nowMs,
      };
      this.#questions.push(question);
      this.#askMissing(question, nowMs);
    }
  }

  ring(atMs: number): void {
    for (const question of [...this.#questions]) {
      if (question.endMs <= atMs) this.#end(question, undefined);
      else if (question.repeatMs <= atMs) this.#askMissing(question, atMs);
    }
  }

  #askMissing(question: Question, atMs: number): void {
    question.repeatMs = atMs + REPEAT_MS;
    let asked = 0;
    for (let part = 0; part < (question.count ?? 1) && asked < WINDOW; part++) {
      if (question.parts[part] !== undefined) continue;
      asked++;
      this.#ports.send(question.partner, { kind: "ask", what: question.what, id: question.id, part });
    }
  }

  #end(question: Question, bytes: Bytes | undefined): void {
    this.#questions = this.#questions.filter((other) => other !== question);
    question.settle({ partner: question.partner, bytes });
  }

  onPart(partner: Partner, { id, part, parts, bytes }: Part): void {
    const question = this.#questions.find(
      (candidate) => candidate.id === id && equalBytes(candidate.partner.session, partner.session),
    );
    if (question === undefined) return;
    const maxParts = Math.ceil(MAX_RECORD_BYTES[question.what] / PART_BYTES);
    if (parts === 0 || parts > maxParts || (question.count ?? parts) !== parts || part >= parts) {
      this.#end(question, undefined);
      return;
    }
    question.count = parts;
    if (question.parts[part] !== undefined) return;
    question.parts[part] = bytes;
    question.come++;
    if (question.come === parts) this.#end(question, concatBytes(question.parts.flatMap((one) => one ?? [])));
    else if (question.come % WINDOW === 1) this.#askMissing(question, this.#ports.now());
  }

  onAsk(partner: Partner, ask: Ask): void {
    const nowMs = this.#ports.now();
    this.#held = this.#held.filter(({ untilMs }) => untilMs > nowMs);
    const held = this.#held.find(({ id, session }) => id === ask.id && equalBytes(session, partner.session));
    if (held !== undefined) {
      if (held.bytes !== undefined) this.#answer(partner, ask, held.bytes);
      return;
    }
    if (this.#held.length >= MAX_READERS) return;
    const fresh: Held = { session: partner.session, id: ask.id, untilMs: nowMs + KEEP_MS, bytes: undefined };
    this.#held.push(fresh);
    this.#ports.own(ask.what, (bytes) => {
      fresh.bytes = bytes;
      this.#answer(partner, ask, bytes);
    });
  }

  #answer(partner: Partner, { what, id, part }: Ask, record: Bytes): void {
    const isTooLong = record.length > MAX_RECORD_BYTES[what];
    const parts = isTooLong ? 0 : Math.ceil(record.length / PART_BYTES);
    const bytes = isTooLong ? new Uint8Array(0) : record.slice(part * PART_BYTES, (part + 1) * PART_BYTES);
    if (parts === 0 || part < parts) this.#ports.send(partner, { kind: "part", id, part, parts, bytes });
  }
}
