/** The system has refused memory: the one failure of a pure computation that is no defect. */

const ENOMEM = 12;
/** What V8 says when there is none for the bytes of an array. Its own heap can't ask: it ends the process. */
const NO_ARRAY = "Array buffer allocation failed";

/** Somebody wanted so many bytes. */
export class NoMemory extends Error {
  readonly errno = ENOMEM;

  constructor(sizeBytes: number) {
    super(`malloc(${sizeBytes}) failed`);
  }
}

/** Says it as nginx does, for an error that means it: of an array's bytes, of pages (errno ENOMEM), or NoMemory. Undefined for any other. */
export function noMemoryText(error: unknown): string | undefined {
  if (error instanceof NoMemory) return error.message;
  const isMeant =
    error instanceof RangeError
      ? error.message === NO_ARRAY
      : error instanceof Error && (error as { errno?: unknown }).errno === ENOMEM;
  return isMeant ? "malloc() failed" : undefined;
}
