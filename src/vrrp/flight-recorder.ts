/**
 * The flight recorder of a VRRP process: what it has sent, heard, seen and decided in the last minutes, written into memory that its
 * supervisor shares, so that the end of the process does not end the memory. Nothing here waits for anything.
 */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Alarm } from "../io/reactor.ts";
import type { Address, Link, Routing, RoutingWatch } from "../io/routing.ts";
import type { AdvertSocketSettings, Ipv6Delivery, Segments } from "../io/segment.ts";
import { encodeEvent, encodeRecordedAdvert, type FlightEvent } from "../wire/flight/entry.ts";
import { RingWriter } from "../wire/flight/ring.ts";
import { VRRP_PROTOCOL } from "../wire/vrrp/advert.ts";

/** A timer that rings so late is worth a note. */
const LATE_MS = 5;
/** Of late rings one note is made in this time. */
const LATE_PAUSE_MS = 1000;
const IPV6_HEADER_BYTES = 40;

/** The two rings: adverts come in such numbers that they must not drive out the rest. */
export interface FlightMemory {
  readonly adverts: Bytes;
  readonly events: Bytes;
}

export class FlightRecorder {
  readonly #clock: Clock;
  readonly #adverts: RingWriter;
  readonly #events: RingWriter;
  /** Last result of each check: only another one is news. */
  readonly #checks = new Map<string, string>();
  #lateSinceMs = Number.NEGATIVE_INFINITY;
  #worstLateMs = 0;
  #lateCount = 0;

  constructor(memory: FlightMemory, clock: Clock) {
    this.#clock = clock;
    this.#adverts = new RingWriter(memory.adverts);
    this.#events = new RingWriter(memory.events);
  }

  record(event: FlightEvent): void {
    const { kind, payload } = encodeEvent(event);
    this.#events.append(kind, this.#clock.now(), payload);
  }

  /** A check's result; `name` with its kind, `script chk_nginx`. */
  check(name: string, text: string): void {
    if (this.#checks.get(name) === text) return;
    this.#checks.set(name, text);
    this.record({ kind: "check", name, text });
  }

  /** The checks are those of another configuration: each is told anew. */
  forgetChecks(): void {
    this.#checks.clear();
  }

  /** The same sockets, with what passes them written down. */
  segments(inner: Segments): Segments {
    return {
      openFrames: (linkIndex) => inner.openFrames(linkIndex),
      openAdverts: (settings, onPacket) => {
        const link = settings.link?.name ?? "";
        const socket = inner.openAdverts(settings, (packet, delivery, hasWaited) => {
          this.#advert("heard", link, delivery === undefined ? packet : withIpv6Header(packet, delivery));
          onPacket(packet, delivery, hasWaited);
        });
        return {
          send: (packet, destination) => {
            const result = socket.send(packet, destination);
            if (result >= 0) this.#advert("sent", link, sentPacket(settings, packet, destination));
            return result;
          },
          drain: () => socket.drain(),
          setReceiveBuffer: (sizeBytes) => socket.setReceiveBuffer(sizeBytes),
          close: () => socket.close(),
        };
      },
    };
  }

  #advert(direction: "sent" | "heard", link: string, packet: Bytes): void {
    const { kind, payload } = encodeRecordedAdvert(direction, link, packet);
    this.#adverts.append(kind, this.#clock.now(), payload);
  }

  /** The same log, with what people would read of it written down. */
  log(inner: Log): Log {
    return {
      enabled: (level) => inner.enabled(level),
      write: (level, text, context) => {
        if (level !== "debug" && level !== "info") this.record({ kind: "log", level, text });
        inner.write(level, text, context);
      },
    };
  }

  /** The same alarm, with its lateness written down. */
  alarm(open: (ring: () => void) => Alarm, ring: () => void): Alarm {
    let armedMs = Number.POSITIVE_INFINITY;
    const inner = open(() => {
      const lateMs = this.#clock.now() - armedMs;
      armedMs = Number.POSITIVE_INFINITY;
      if (lateMs >= LATE_MS) this.#late(lateMs);
      ring();
    });
    return {
      arm: (atMs) => {
        armedMs = atMs;
        inner.arm(atMs);
      },
      disarm: () => {
        armedMs = Number.POSITIVE_INFINITY;
        inner.disarm();
      },
    };
  }

  #late(lateMs: number): void {
    const nowMs = this.#clock.now();
    this.#worstLateMs = Math.max(this.#worstLateMs, lateMs);
    this.#lateCount++;
    if (nowMs - this.#lateSinceMs < LATE_PAUSE_MS) return;
    this.record({ kind: "late", lateMs: Math.round(this.#worstLateMs * 10) / 10, count: this.#lateCount });
    this.#lateSinceMs = nowMs;
    this.#worstLateMs = 0;
    this.#lateCount = 0;
  }

  /** Writes down what the kernel tells, until it is closed. */
  watch(routing: Routing): RoutingWatch {
    const names = new Map<number, string>();
    const note = (text: string): void => this.record({ kind: "network", text });
    const on = ({ ip, prefixLength, linkIndex }: Address): string =>
      `${printIp(ip)}/${prefixLength} on ${names.get(linkIndex) ?? `link ${linkIndex}`}`;
    const watch = routing.watch({
      onLink: (link) => {
        names.set(link.index, link.name);
        note(`${link.name} is ${stateOf(link)}`);
      },
      onLinkGone: ({ name }) => note(`${name} is gone`),
      onAddress: (address) => note(`address ${on(address)} is there${address.duplicate ? ", a duplicate" : ""}`),
      onAddressGone: (address) => note(`address ${on(address)} is gone`),
    });
    for (const { index, name } of watch.links.values()) names.set(index, name);
    return watch;
  }
}

function stateOf({ isUp, isRunning }: Link): string {
  if (!isUp) return "down";
  return isRunning ? "up" : "up, without carrier";
}

function sentPacket({ family, source, hopLimit }: AdvertSocketSettings, packet: Bytes, destination: Bytes): Bytes {
  return family === 4 ? packet : withIpv6Header(packet, { source, destination, hopLimit: hopLimit ?? 255 });
}

/** The header that the kernel has kept for itself. */
function withIpv6Header(message: Bytes, { source, destination, hopLimit }: Ipv6Delivery): Bytes {
  const header = new Uint8Array(IPV6_HEADER_BYTES);
  header[0] = 0x60;
  header[4] = message.length >> 8;
  header[5] = message.length & 0xff;
  header[6] = VRRP_PROTOCOL;
  header[7] = hopLimit;
  header.set(source, 8);
  header.set(destination, 24);
  return concatBytes([header, message]);
}
