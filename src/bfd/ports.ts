/** What the sessions of a node need of the world, and what they tell whoever tracks them. */
import type { Clock } from "../base/clock.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Alarm } from "../io/reactor.ts";
import type { Udp } from "../io/udp.ts";

/** A session is up, or up no longer. Not told when the neighbour has stopped on purpose. */
export interface BfdEvent {
  readonly name: string;
  readonly neighbor: IpAddress;
  readonly isUp: boolean;
  /** The neighbour was silent for the detection time; otherwise it has told us that it does not hear us. */
  readonly expired: boolean;
  readonly detectionMs: number;
}

export interface BfdPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly udp: Udp;
  alarm(ring: () => void): Alarm;
  /** 0 … 1, exclusive. */
  random(): number;
  event(event: BfdEvent): void;
}
