/** The memory of a flight recorder, made by the supervisor and inherited by every VRRP process that it starts. */
import { createSharedMemory, mapSharedMemory } from "../os/shared-memory.ts";
import type { FlightMemory } from "../vrrp/flight-recorder.ts";
import { ringMemoryBytes } from "../wire/flight/ring.ts";

/** Ten minutes of some ten thousand adverts. */
const ADVERTS_BYTES = ringMemoryBytes(1 << 20);
const EVENTS_BYTES = ringMemoryBytes(1 << 19);
const TOTAL_BYTES = ADVERTS_BYTES + EVENTS_BYTES;

/** A descriptor of new memory. Throws a system error. */
export function createFlightMemory(): number {
  return createSharedMemory("flight recorder", TOTAL_BYTES);
}

/** Maps it; the descriptor may be closed then. Throws a system error. */
export function mapFlightMemory(fd: number): FlightMemory {
  const { bytes } = mapSharedMemory(fd, TOTAL_BYTES).memory;
  return {
    adverts: bytes.subarray(0, ADVERTS_BYTES),
    events: bytes.subarray(ADVERTS_BYTES, TOTAL_BYTES),
  };
}
