/** What a client's connection is doing; the table is in connection.ts. */
export const WAITING = 0;
export const READING = 1;
export const ACTIVE = 2;
export const BODY = 3;
export const DISCARDING = 4;
export const DRAINING = 5;
export const LINGERING = 6;
export const CLOSED = 7;
