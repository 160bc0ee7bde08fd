/**
 * Fair shares of what is limited, such as output streams: one user alone may have all of it, but cannot keep other users
 * from their share (launcher-plugin-api.md section 0).
 */

/** No share is smaller. */
const MIN_SHARE = 10;

/**
 * A limit that users share. A user with less than a quarter of it gets more, while the limit and a reserve of a quarter are
 * not exhausted. A user above that gets more only as the only user, or while less than three quarters are taken. Requests of
 * the launcher itself (`*` or no user) have no share.
 */
export class SharedLimit {
  readonly #limit: number;
  readonly #what: string;
  readonly #remedy: string;
  readonly #share: number;
  readonly #held = new Map<string, number>();
  #taken = 0;

  /** `what` and `remedy` are for the sentence of a denial: 'output streams', 'cancel some and ask again'. */
  constructor(limit: number, what: string, remedy: string) {
    this.#limit = limit;
    this.#what = what;
    this.#remedy = remedy;
    this.#share = Math.max(MIN_SHARE, Math.floor(limit / 4));
  }

  /** The limit with its reserve: no more is ever taken, but for the last amount. */
  get capacity(): number {
    return this.#limit + this.#share;
  }

  /** Takes this amount for the user and returns undefined; or takes nothing and returns the reason. */
  take(user: string, amount = 1): string | undefined {
    const denial = this.#denial(user);
    if (denial !== undefined) return denial;
    this.#taken += amount;
    this.#held.set(user, this.#heldBy(user) + amount);
    return undefined;
  }

  giveBack(user: string, amount = 1): void {
    this.#taken -= amount;
    const left = this.#heldBy(user) - amount;
    if (left > 0) this.#held.set(user, left);
    else this.#held.delete(user);
  }

  #denial(user: string): string | undefined {
    const held = this.#heldBy(user);
    const full = `there are ${this.#limit} ${this.#what} already, the maximum; ${this.#remedy}`;
    if (user === '*' || user === '' || held < this.#share) return this.#taken < this.capacity ? undefined : full;
    const others = this.#taken - held - this.#heldBy('*');
    if (others === 0) return this.#taken < this.#limit ? undefined : full;
    if (this.#taken < (this.#limit * 3) / 4) return undefined;
    return `user ${user} has the share of one user, a quarter of ${this.#limit} ${this.#what}; ${this.#remedy}`;
  }

  #heldBy(user: string): number {
    return this.#held.get(user) ?? 0;
  }
}
