/**
 * Slots for name-service lookups that run at the same time: one for each user. Names that were never answered, and names that
 * recently got no answer, have only some of them, so that a directory that hangs for some users does not delay the others.
 */
import type { Clock } from './clock.ts';
import { UserFacingError } from './user-facing-error.ts';

/** Most lookups at a time. */
const MOST_RUNNING = 16;

/** What is known about a name: it was answered before, it is new, or it recently got no answer. */
type Experience = 'answered' | 'new' | 'failed';

/** Most lookups at a time of new and failed names together, and of failed names. */
const MOST_UNANSWERED = 12;
const MOST_FAILED = 4;

/** Most lookups that wait, and the longest wait. */
const MOST_WAITING = 1_000;
const MOST_WAIT_MS = 20_000;

/** The name services gave no answer, which is not the same as "no such user" or "no groups". */
export class UserLookupError extends UserFacingError {
  override readonly name = 'UserLookupError';
  readonly code = 'user-lookup';
}

interface Waiting {
  readonly experience: Experience;
  readonly user: string;
  readonly start: () => void;
}

export class LookupSlots {
  readonly #clock: Clock;
  readonly #running = { answered: 0, new: 0, failed: 0 };
  /** Users with a lookup that runs. */
  readonly #users = new Set<string>();
  /** The newest is last, and starts first: older ones may have given up. */
  readonly #waiting: Waiting[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs `look` when there is a slot and no other lookup of the user runs; '' is no user. Rejects with UserLookupError if that
   * takes too long.
   */
  async run<T>(experience: Experience, user: string, look: () => Promise<T>): Promise<T> {
    if (!this.#hasSlot(experience, user)) await this.#wait(experience, user);
    this.#running[experience]++;
    if (user !== '') this.#users.add(user);
    try {
      return await look();
    } finally {
      this.#running[experience]--;
      this.#users.delete(user);
      this.#startNext();
    }
  }

  #hasSlot(experience: Experience, user: string): boolean {
    if (this.#users.has(user)) return false;
    const { answered, new: unknown, failed } = this.#running;
    if (answered + unknown + failed >= MOST_RUNNING) return false;
    if (experience === 'answered') return true;
    return unknown + failed < MOST_UNANSWERED && (experience === 'new' || failed < MOST_FAILED);
  }

  #wait(experience: Experience, user: string): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING) throw busy(this.#waiting.length);
    return new Promise((resolve, reject) => {
      const waiting = {
        experience,
        user,
        start: () => {
          cancel();
          resolve();
        },
      };
      const cancel = this.#clock.after(MOST_WAIT_MS, () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(busy(this.#waiting.length));
      });
      this.#waiting.push(waiting);
    });
  }

  #startNext(): void {
    const index = this.#waiting.findLastIndex(({ experience, user }) => this.#hasSlot(experience, user));
    if (index >= 0) for (const { start } of this.#waiting.splice(index, 1)) start();
  }
}

function busy(waiting: number): UserLookupError {
  return new UserLookupError(`the name services do not answer in time: ${waiting} other lookups are waiting`);
}
