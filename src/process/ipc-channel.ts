/** A child's way to its supervisor: never blocks, never grows without bound. */

/** Messages that may wait before those that may be lost are: the supervisor may be suspended. */
const MAX_WAITING = 1000;

export class IpcChannel<Message> {
  #waiting = 0;

  send(message: Message): void {
    if (!process.connected || process.send === undefined) return;
    this.#waiting++;
    process.send(message, undefined, {}, () => {
      this.#waiting--;
    });
  }

  /** For messages that may be lost. */
  sendIfIdle(message: Message): void {
    if (this.#waiting < MAX_WAITING) this.send(message);
  }

  /** For messages that are of no use unless they are delivered at once. */
  sendAtOnce(message: Message): void {
    if (this.#waiting === 0) this.send(message);
  }
}
