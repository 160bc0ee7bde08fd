/**
 * Slots for name-service lookups that run at the same time: one for each user. Names that were never answered, and names that
 * recently got no answer, have only some of them, and lookups that take long give up some of theirs, so that a directory that
 * hangs for some users does not delay the others.
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

/** A lookup is slow after this time. */
const SLOW_MS = 1_000;
/** Slots that slow lookups keep while another one waits, in all, and of new and failed names. A slow directory answers with these. */
const MOST_SLOW = 12;
const MOST_SLOW_UNANSWERED = 8;

/** Most lookups that wait, and the longest wait. */
const MOST_WAITING = 1_000;
const MOST_WAIT_MS = 20_000;

/** The name services gave no answer, which is not the same as "no such user" or "no groups". */
export class UserLookupError extends UserFacingError {
  override readonly name = 'UserLookupError';
  readonly code = 'user-lookup';
}

interface Lookup {
  readonly experience: Experience;
  readonly user: string;
}

interface Waiting extends Lookup {
  readonly start: () => void;
}

interface Running extends Lookup {
  /** Monotonic. */
  readonly startedAt: number;
  readonly signal: AbortSignal;
  readonly giveUp: () => void;
}

export class LookupSlots {
  readonly #clock: Clock;
  /** With what cancels the timer of each; the oldest is first. */
  readonly #running = new Map<Running, () => void>();
  /** The newest is last, and starts first: older ones may have given up. */
  readonly #waiting: Waiting[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs `look` when there is a slot and no other lookup of the user runs; '' is no user. Rejects with UserLookupError if that
   * takes too long, or if the lookup is slow and others wait: then its signal is aborted.
   */
  async run<T>(experience: Experience, user: string, look: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const lookup = { experience, user };
    const running = this.#hasSlot(lookup) ? this.#begin(lookup) : await this.#wait(lookup);
    const givenUp = new Promise<never>((_, reject) => {
      running.signal.addEventListener('abort', () => reject(running.signal.reason));
      if (running.signal.aborted) reject(running.signal.reason);
    });
    try {
      return await Promise.race([look(running.signal), givenUp]);
    } finally {
      this.#end(running);
    }
  }

  #begin(lookup: Lookup): Running {
    const abort = new AbortController();
    const running: Running = {
      ...lookup,
      startedAt: this.#clock.monotonic(),
      signal: abort.signal,
      giveUp: () => {
        abort.abort(new UserLookupError(`no answer within ${SLOW_MS / 1000} s, and other lookups wait`));
        this.#end(running);
      },
    };
    this.#running.set(
      running,
      this.#clock.after(SLOW_MS, () => this.#giveUpSlow()),
    );
    return running;
  }

  #end(running: Running): void {
    this.#running.get(running)?.();
    if (this.#running.delete(running)) this.#startNext();
  }

  #hasSlot({ experience, user }: Lookup): boolean {
    if (this.#hasLookup(user) || this.#running.size >= MOST_RUNNING) return false;
    if (experience === 'answered') return true;
    const unanswered = [...this.#running.keys()].filter(isUnanswered);
    const failed = unanswered.filter((running) => running.experience === 'failed');
    return unanswered.length < MOST_UNANSWERED && (experience === 'new' || failed.length < MOST_FAILED);
  }

  #hasLookup(user: string): boolean {
    return user !== '' && [...this.#running.keys()].some((running) => running.user === user);
  }

  /** Ends the youngest slow lookup if one waits for its slot and there are too many slow ones; the older ones go on. */
  #giveUpSlow(): void {
    const now = this.#clock.monotonic();
    const running = [...this.#running.keys()];
    const isSlow = ({ startedAt }: Running): boolean => now - startedAt >= SLOW_MS;
    const waits = (experience: Experience): boolean =>
      this.#waiting.some((waiting) => waiting.experience === experience && !this.#hasLookup(waiting.user));
    let slow: readonly Running[] = [];
    let most = 0;
    if (waits('new') && running.filter(isUnanswered).length >= MOST_UNANSWERED) {
      slow = running.filter(isUnanswered).filter(isSlow);
      most = MOST_SLOW_UNANSWERED;
    } else if ((waits('answered') || waits('new')) && running.length >= MOST_RUNNING) {
      slow = running.filter(isSlow);
      most = MOST_SLOW;
    }
    if (slow.length > most) slow.at(-1)?.giveUp();
  }

  #wait(lookup: Lookup): Promise<Running> {
    if (this.#waiting.length >= MOST_WAITING) throw busy(this.#waiting.length);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        ...lookup,
        start: () => {
          cancel();
          resolve(this.#begin(lookup));
        },
      };
      const cancel = this.#clock.after(MOST_WAIT_MS, () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(busy(this.#waiting.length));
      });
      this.#waiting.push(waiting);
      this.#giveUpSlow();
    });
  }

  #startNext(): void {
    const index = this.#waiting.findLastIndex((waiting) => this.#hasSlot(waiting));
    if (index >= 0) for (const { start } of this.#waiting.splice(index, 1)) start();
  }
}

function isUnanswered({ experience }: Lookup): boolean {
  return experience !== 'answered';
}

function busy(waiting: number): UserLookupError {
  return new UserLookupError(`the name services do not answer in time: ${waiting} other lookups are waiting`);
}
