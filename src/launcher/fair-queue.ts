/**
 * Fair queuing of requests by user, as the API server does it: when more is asked than may be in progress, users are served
 * round robin, and one user alone cannot take all places.
 */
import { RoundRobin } from '../system/round-robin.ts';
import { SharedLimit } from '../system/shares.ts';

/** Starts a request; it calls `done` once when its place is free again. */
type Start = (done: () => void) => void;

/** Places of requests in progress: users share them as any other limit, but who is above the share waits. */
export class FairQueue {
  readonly #places: SharedLimit;
  readonly #waiting = new RoundRobin<Start>();

  constructor(limit: number) {
    this.#places = new SharedLimit(limit, 'requests in progress', 'wait for answers');
  }

  /** Calls `start` as soon as a place is free for this user. */
  add(user: string, start: Start): void {
    if (!this.#waiting.has(user) && this.#take(user)) this.#start(user, start);
    else this.#waiting.push(user, start);
  }

  #take(user: string): boolean {
    return this.#places.take(user) === undefined;
  }

  #start(user: string, start: Start): void {
    start(() => {
      this.#places.giveBack(user);
      this.#startWaiting();
    });
  }

  #startWaiting(): void {
    const take = (user: string): boolean => this.#take(user);
    for (let next = this.#waiting.shift(take); next !== undefined; next = this.#waiting.shift(take)) {
      this.#start(next.user, next.item);
    }
  }
}
