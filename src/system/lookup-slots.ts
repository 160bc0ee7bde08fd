/**
 * Slots for name-service lookups that run at the same time. Names that were never answered, and names that recently got no
 * answer, have only some of them, so that a directory that hangs for some users does not delay the others.
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
  readonly start: () => void;
}

export class LookupSlots {
  readonly #clock: Clock;
  readonly #running = { answered: 0, new: 0, failed: 0 };
  /** The newest is last, and starts first: older ones may have given up. */
  readonly #waiting: Waiting[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `look` when there is a slot. Rejects with UserLookupError if there is none for too long. */
  async run<T>(experience: Experience, look: () => Promise<T>): Promise<T> {
    if (!this.#hasSlot(experience)) await this.#wait(experience);
    this.#running[experience]++;
    try {
      return await look();
    } finally {
      this.#running[experience]--;
      this.#startNext();
    }
  }

  #hasSlot(experience: Experience): boolean {
    const { answered, new: unknown, failed } = this.#running;
    if (answered + unknown + failed >= MOST_RUNNING) return false;
    if (experience === 'answered') return true;
    return unknown + failed < MOST_UNANSWERED && (experience === 'new' || failed < MOST_FAILED);
  }

  #wait(experience: Experience): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING) throw busy(this.#waiting.length);
    return new Promise((resolve, reject) => {
      const waiting = {
        experience,
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
    const index = this.#waiting.findLastIndex(({ experience }) => this.#hasSlot(experience));
    if (index >= 0) for (const { start } of this.#waiting.splice(index, 1)) start();
  }
}

function busy(waiting: number): UserLookupError {
  return new UserLookupError(`the name services do not answer in time: ${waiting} other lookups are waiting`);
}
