/** What a stream's owner has thrown: want of memory ends what it was doing, anything else is a defect and goes on its way. */
import { noMemoryText } from "../../base/no-memory.ts";
import type { StreamOwner } from "../../io/stream.ts";

/** `isClosed`: its owner has nothing to hear any more. */
export function survive(error: unknown, owner: StreamOwner, isClosed: boolean): void {
  const text = noMemoryText(error);
  if (owner.onNoMemory === undefined || text === undefined) throw error;
  if (!isClosed) owner.onNoMemory(text);
}
