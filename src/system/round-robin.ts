/** Users in turn: a user with much that waits does not delay the others. */

/** Items in a queue per user; `shift` takes one item of each user in turn. */
export class RoundRobin<T> {
  /** Only users with items, in the order in which they are served. */
  readonly #queues = new Map<string, T[]>();

  push(user: string, item: T): void {
    const queue = this.#queues.get(user);
    if (queue === undefined) this.#queues.set(user, [item]);
    else queue.push(item);
  }

  /** Puts an item back that was taken: it is the next one of its user. */
  putBack(user: string, item: T): void {
    const queue = this.#queues.get(user);
    if (queue === undefined) this.#queues.set(user, [item]);
    else queue.unshift(item);
  }

  /** The next item of the first user that `mayTake` accepts. */
  shift(mayTake: (user: string) => boolean = () => true): { readonly user: string; readonly item: T } | undefined {
    for (const [user, queue] of this.#queues) {
      if (!mayTake(user)) continue;
      const item = queue.shift();
      this.#queues.delete(user);
      if (queue.length > 0) this.#queues.set(user, queue);
      if (item !== undefined) return { user, item };
    }
    return undefined;
  }

  get isEmpty(): boolean {
    return this.#queues.size === 0;
  }

  has(user: string): boolean {
    return this.#queues.has(user);
  }
}
