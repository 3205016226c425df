/**
 * The connections of a worker, the oldest first. A list through the connections themselves and not a Set: a Set that is added
 * to and deleted from without end leaves a chain of old tables behind, each of which keeps dead connections from being
 * collected until the next full collection (bench: a new connection per request).
 */

/** What is in a list has the list's links. */
export interface Linked<C> {
  older: C | undefined;
  newer: C | undefined;
}

export class Connections<C extends Linked<C>> {
  private oldest: C | undefined = undefined;
  private newest: C | undefined = undefined;
  private count = 0;

  get size(): number {
    return this.count;
  }

  add(connection: C): void {
    const { newest } = this;
    connection.older = newest;
    if (newest === undefined) this.oldest = connection;
    else newest.newer = connection;
    this.newest = connection;
    this.count++;
  }

  /** Takes out one that was added. Its links are cleared: a dead one must not keep its neighbours from being collected. */
  remove(connection: C): void {
    const { older, newer } = connection;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.newest = older;
    else newer.older = older;
    connection.older = undefined;
    connection.newer = undefined;
    this.count--;
  }

  /** The connections of now, in a list that stands still while they come and go. */
  list(): C[] {
    const connections: C[] = [];
    for (let connection = this.oldest; connection !== undefined; connection = connection.newer)
      connections.push(connection);
    return connections;
  }
}
