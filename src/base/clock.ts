/** Time as the pure layers see it. Instants and durations are milliseconds; the suffix of a name says the unit. */

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start, with fractions: for intervals and timers. */
  now(): number;
  /** Milliseconds since the Unix epoch: for dates that a person or a peer reads. */
  wall(): number;
}
