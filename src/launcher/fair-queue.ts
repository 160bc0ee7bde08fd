/**
 * Fair queuing of requests by user, as the API server does it: when more is asked than may be in progress, users are served
 * round robin, and one user alone cannot take all places.
 */

/** Starts a request; it calls `done` once when its place is free again. */
type Start = (done: () => void) => void;

/** Items in a queue per user; `shift` takes one item of each user in turn. */
export class RoundRobin<T> {
  /** Only users with items, in the order in which they are served. */
  readonly #queues = new Map<string, T[]>();

  push(user: string, item: T): void {
    const queue = this.#queues.get(user);
    if (queue === undefined) this.#queues.set(user, [item]);
    else queue.push(item);
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

/**
 * At most `limit` requests are in progress. A user may start another one only while more places are free than this user
 * already has: one user alone gets half of them, and others always find some.
 */
export class FairQueue {
  readonly #limit: number;
  readonly #running = new Map<string, number>();
  readonly #waiting = new RoundRobin<Start>();
  #inProgress = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Calls `start` as soon as a place is free for this user. */
  add(user: string, start: Start): void {
    if (!this.#waiting.has(user) && this.#mayStart(user)) this.#start(user, start);
    else this.#waiting.push(user, start);
  }

  #mayStart(user: string): boolean {
    return (this.#running.get(user) ?? 0) < this.#limit - this.#inProgress;
  }

  #start(user: string, start: Start): void {
    this.#inProgress++;
    this.#running.set(user, (this.#running.get(user) ?? 0) + 1);
    start(() => {
      this.#inProgress--;
      const left = (this.#running.get(user) ?? 0) - 1;
      if (left > 0) this.#running.set(user, left);
      else this.#running.delete(user);
      this.#startWaiting();
    });
  }

  #startWaiting(): void {
    const mayStart = (user: string): boolean => this.#mayStart(user);
    for (let next = this.#waiting.shift(mayStart); next !== undefined; next = this.#waiting.shift(mayStart)) {
      this.#start(next.user, next.item);
    }
  }
}
