/**
 * The peer channel of a node: sockets on the links of its routers, hellos, and what is known of the partners there. What is
 * believed is decided in peer-link.ts; what an order means, in handovers.ts. Without a key there is no channel.
 */
import { type Bytes, equalBytes } from "../base/bytes.ts";
import { type IpAddress, printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { PeerSocket, PeerSockets } from "../io/peer-socket.ts";
import {
  type Ask,
  decodePeer,
  encodePeer,
  type Hello,
  NOBODY,
  NONCE_BYTES,
  type Order,
  type Part,
  type PeerMessage,
  type Seal,
} from "../wire/peer/message.ts";
import { type ClockSample, clockOf, hearTime, NEW_CLOCK, type PeerClock, tellTime } from "./peer-clock.ts";
import { HELLO_MS, hearPeer, isPeerUp, newPeerLink, type PeerLinkState } from "./peer-link.ts";

/** Nodes that are remembered on one segment; others with the key are not answered. */
const MAX_PARTNERS = 8;
/** A node that was not heard for so long is forgotten. */
const FORGET_MS = 60_000;
/** Hellos to a node whose echo is known again. */
const SENT_HELLOS = 8;
/** The same complaint is logged once in this time. */
const COMPLAINT_PAUSE_MS = 60_000;

/** Where the channel is: a link that routers of one family use. */
export interface PeerPlace {
  readonly link: { readonly index: number; readonly name: string };
  readonly source: IpAddress;
  /** Whoever is in this group on the link; undefined: nobody but the peers. */
  readonly group: IpAddress | undefined;
  /** Of `unicast_peer`, wherever they are. */
  readonly peers: readonly IpAddress[];
}

/** Another node on one segment. */
export interface Partner {
  readonly link: { readonly index: number; readonly name: string };
  readonly address: IpAddress;
  readonly hello: Hello;
  /** The same on all links of a node, another one after its restart. */
  readonly session: Bytes;
  /** undefined: not compared yet. */
  readonly clock: ClockSample | undefined;
  readonly heardMs: number;
  /** When that one of our hellos was sent which it has echoed: then it was there and heard us. Monotonic, as `heardMs`. */
  readonly provenMs: number;
}

/** What the channel needs of the world. */
export interface PeerChannelPorts {
  readonly sockets: PeerSockets;
  readonly seal: Seal;
  readonly port: number;
  readonly log: Log;
  now(): number;
  /** The time of day, in milliseconds since the epoch. */
  wall(): number;
  random(sizeBytes: number): Bytes;
}

export interface PeerChannelHooks {
  /** What this node says about itself on a link. */
  hello(linkIndex: number): Omit<Hello, "time">;
  onOrder(partner: Partner, order: Order): void;
  onAsk(partner: Partner, ask: Ask): void;
  onPart(partner: Partner, part: Part): void;
  onHello(partner: Partner): void;
  /** Behind every message: deadlines may have moved. */
  onDelivered(): void;
  /** A node has gone silent, or has been started anew: this session will not be heard again, or not soon. */
  onLost(session: Bytes): void;
  /** Something that status shows has changed. */
  onChange(): void;
}

interface Known {
  readonly segment: Segment;
  readonly address: IpAddress;
  state: PeerLinkState;
  clock: PeerClock;
  /** The last hellos to it, on both clocks. */
  sent: readonly { readonly wallMs: number; readonly atMs: number }[];
  provenMs: number;
  isUp: boolean;
}

/** A hello gets its time when it is sent. */
type Message = Omit<Hello, "time"> | Exclude<PeerMessage, Hello>;

interface Segment {
  readonly place: PeerPlace;
  readonly socket: PeerSocket;
  readonly known: Map<string, Known>;
}

export class PeerChannel {
  readonly #ports: PeerChannelPorts;
  readonly #hooks: PeerChannelHooks;
  readonly #session: Bytes;
  readonly #segments = new Map<string, Segment>();
  readonly #complaints = new Map<string, number>();
  #sequence = 0;
  #helloMs = 0;

  constructor(ports: PeerChannelPorts, hooks: PeerChannelHooks) {
    this.#ports = ports;
    this.#hooks = hooks;
    this.#session = ports.random(NONCE_BYTES);
  }

  /** When `ring` has something to do. */
  get nextMs(): number {
    return this.#segments.size === 0 ? Number.POSITIVE_INFINITY : this.#helloMs + HELLO_MS;
  }

  /** Opens and closes sockets as the routers' places come and go. */
  place(places: readonly PeerPlace[], atMs: number): void {
    const wanted = new Map(places.map((place) => [placeKey(place), place]));
    for (const [key, segment] of [...this.#segments])
      if (!wanted.has(key)) {
        this.#segments.delete(key);
        segment.socket.close();
        for (const known of segment.known.values()) this.#lose(known);
      }
    for (const [key, place] of wanted) {
      if (this.#segments.has(key)) continue;
      const { link, source, group } = place;
      try {
        const known = new Map<string, Known>();
        const socket = this.#ports.sockets.open(
          { link, source, group, port: this.#ports.port },
          (bytes, from, isOnLink) => {
            this.#receive(segment, bytes, from, isOnLink);
            this.#hooks.onDelivered();
          },
        );
        const segment: Segment = { place, socket, known };
        this.#segments.set(key, segment);
        this.#helloMs = atMs - HELLO_MS; // say hello there at once
      } catch (error) {
        this.#complain(`peer channel on ${link.name}: ${(error as Error).message}`, atMs);
      }
    }
  }

  close(): void {
    for (const { socket } of this.#segments.values()) socket.close();
    this.#segments.clear();
  }

  /** Nodes that are there, on each segment. */
  get partners(): readonly Partner[] {
    return [...this.#segments.values()].flatMap(({ known }) =>
      [...known.values()].filter(({ isUp }) => isUp).map(partnerOf),
    );
  }

  /** Says hello now: something has changed that partners should know. */
  sayHello(atMs: number): void {
    this.#helloMs = atMs;
    for (const segment of this.#segments.values()) {
      const message = this.#hooks.hello(segment.place.link.index);
      const { group, peers } = segment.place;
      for (const destination of group === undefined ? peers : [group, ...peers])
        if (segment.known.get(printIp(destination))?.isUp !== true)
          this.#send(segment, destination, NOBODY, NOBODY, NOBODY, message, NEW_CLOCK);
      for (const known of segment.known.values()) this.#sendTo(known, message);
    }
  }

  ring(atMs: number): void {
    for (const segment of this.#segments.values())
      for (const [key, known] of [...segment.known]) {
        if (known.isUp && !isPeerUp(known.state, atMs)) this.#lose(known);
        const lastMs = Math.max(known.state.heardMs, known.state.answeredMs, known.state.repliedMs);
        if (!known.isUp && atMs - lastMs > FORGET_MS) segment.known.delete(key);
      }
    if (atMs >= this.nextMs) this.sayHello(atMs);
  }

  /** Sends a message; a partner that is not there any more does not get it. */
  send(partner: Partner, message: Exclude<PeerMessage, Hello>): void {
    for (const { place, known } of this.#segments.values()) {
      if (place.link.index !== partner.link.index) continue;
      const found = known.get(printIp(partner.address));
      if (found?.state.session !== undefined && equalBytes(found.state.session, partner.session)) {
        this.#sendTo(found, message);
        return;
      }
    }
  }

  #sendTo(known: Known, message: Message): void {
    const { session, challenge, echo } = known.state;
    if (session === undefined) return;
    if (message.kind === "hello") {
      const now = { wallMs: this.#ports.wall(), atMs: this.#ports.now() };
      known.sent = [now, ...known.sent].slice(0, SENT_HELLOS);
    }
    this.#send(known.segment, known.address, session, challenge, echo, message, known.clock);
  }

  #send(
    segment: Segment,
    to: IpAddress,
    session: Bytes,
    challenge: Bytes,
    echo: Bytes,
    message: Message,
    clock: PeerClock,
  ): void {
    this.#sequence++;
    const envelope = { session: this.#session, sequence: this.#sequence, to: session, challenge, echo };
    const { seal, now, wall } = this.#ports;
    const timed = message.kind === "hello" ? { ...message, time: tellTime(clock, now(), wall()) } : message;
    segment.socket.send(encodePeer(envelope, timed, seal), to);
  }

  #receive(segment: Segment, bytes: Bytes, source: IpAddress, isOnLink: boolean): void {
    const { place } = segment;
    const atMs = this.#ports.now();
    // Whoever speaks in a group sits on its link; unicast peers may be anywhere.
    const isNeighbour = place.group !== undefined && isOnLink;
    if (!isNeighbour && !place.peers.some((peer) => equalBytes(peer, source))) return;
    const from = source.slice();
    const read = decodePeer(bytes, this.#ports.seal);
    if (!read.ok) {
      this.#complain(`peer channel: message from ${printIp(from)}: ${read.reason}`, atMs);
      return;
    }
    const key = printIp(from);
    let known = segment.known.get(key);
    if (known === undefined) {
      if (segment.known.size >= MAX_PARTNERS) return;
      known = {
        segment,
        address: from,
        state: newPeerLink(this.#ports.random(NONCE_BYTES)),
        clock: NEW_CLOCK,
        sent: [],
        provenMs: Number.NEGATIVE_INFINITY,
        isUp: false,
      };
      segment.known.set(key, known);
    }
    const before = known.state;
    const { envelope, message } = read.value;
    const nextChallenge = this.#ports.random(NONCE_BYTES);
    const { state, verdict } = hearPeer(before, read.value, { own: this.#session, atMs, nextChallenge });
    known.state = state;
    if (verdict.kind === "dropped") return;
    if (verdict.kind === "stranger") {
      if (!verdict.isAnswered) return;
      const hello = this.#hooks.hello(place.link.index);
      this.#send(segment, from, envelope.session, state.challenge, state.echo, hello, NEW_CLOCK);
      return;
    }
    if (verdict.isNew) known.clock = NEW_CLOCK;
    if (message.kind === "hello") {
      known.clock = hearTime(known.clock, message.time, atMs, this.#ports.wall());
      const echoed = known.sent.findLast(({ wallMs }) => wallMs === message.time.echoMs);
      known.provenMs = Math.max(known.provenMs, echoed?.atMs ?? Number.NEGATIVE_INFINITY);
    }
    if (verdict.isNew) {
      if (before.session !== undefined) this.#lose(known, before.session);
      this.#sendTo(known, this.#hooks.hello(place.link.index));
    }
    if (!known.isUp && isPeerUp(state, atMs)) this.#greet(known);
    if (!known.isUp) return;
    this.#deliver(partnerOf(known), message);
  }

  #deliver(partner: Partner, message: PeerMessage): void {
    if (message.kind === "order") this.#hooks.onOrder(partner, message);
    else if (message.kind === "ask") this.#hooks.onAsk(partner, message);
    else if (message.kind === "part") this.#hooks.onPart(partner, message);
    else this.#hooks.onHello(partner);
  }

  #greet(known: Known): void {
    known.isUp = true;
    const { name, version } = known.state.hello as Hello;
    const where = `${printIp(known.address)} on ${known.segment.place.link.name}`;
    this.#ports.log.write("notice", `peer channel: ${name} (Tandem ${version}) is there, ${where}`);
    this.#hooks.onChange();
  }

  #lose(known: Known, session = known.state.session): void {
    if (known.isUp) {
      const { name } = known.state.hello ?? { name: "a node" };
      this.#ports.log.write("notice", `peer channel: ${name} is not heard any more, ${printIp(known.address)}`);
    }
    known.isUp = false;
    if (session !== undefined && !this.#isElsewhere(session)) this.#hooks.onLost(session);
    this.#hooks.onChange();
  }

  /** The node is still heard on another link. */
  #isElsewhere(session: Bytes): boolean {
    return this.partners.some((partner) => equalBytes(partner.session, session));
  }

  /** Whoever sends rubbish does not fill the log. */
  #complain(text: string, atMs: number): void {
    const last = this.#complaints.get(text);
    if (last !== undefined && atMs - last < COMPLAINT_PAUSE_MS) return;
    if (this.#complaints.size >= 64) this.#complaints.clear();
    this.#complaints.set(text, atMs);
    this.#ports.log.write("warn", text);
  }
}

function placeKey({ link, source, group, peers }: PeerPlace): string {
  const to = group === undefined ? peers : [group, ...peers];
  return `${link.index} ${printIp(source)} ${group === undefined} ${to.map(printIp).join(" ")}`;
}

function partnerOf({ segment, address, state, clock, provenMs }: Known): Partner {
  const { hello, session, heardMs } = state;
  return {
    link: segment.place.link,
    address,
    hello: hello as Hello,
    session: session as Bytes,
    clock: clockOf(clock),
    heardMs,
    provenMs,
  };
}
