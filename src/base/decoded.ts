/** The result of reading untrusted bytes: a value, or why there is none. Malformed input is never an exception. */

export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

export function decoded<T>(value: T): Decoded<T> {
  return { ok: true, value };
}

export function malformed(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
