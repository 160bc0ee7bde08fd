/**
 * Outage of something that the plugin depends on: one WARNING that says since when and what still works, and one line when it
 * works again. A dependency that fails only now and then is reported at most once a minute.
 */
import type { Clock } from './clock.ts';
import type { Log, LogFields } from './log.ts';

interface OutageSentences {
  /** What does not work, and what happens next. */
  readonly broken: string;
  /** What still works. */
  readonly meanwhile: string;
  readonly restored: string;
}

const REPORT_AGAIN_MS = 60_000;

export class Outage {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sentences: OutageSentences;
  /** Monotonic time since which it fails; undefined while it works. */
  #since: number | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #isReported = false;

  constructor(clock: Clock, log: Log, sentences: OutageSentences) {
    this.#clock = clock;
    this.#log = log;
    this.#sentences = sentences;
  }

  /** It fails, since now or `forMs` ago. */
  failed(fields: LogFields = {}, forMs = 0): void {
    const now = this.#clock.monotonic();
    this.#since ??= now - forMs;
    if (this.#isReported || now - this.#reportedAt < REPORT_AGAIN_MS) return;
    this.#isReported = true;
    this.#reportedAt = now;
    const since = new Date(this.#clock.now() - (now - this.#since)).toISOString();
    const { broken, meanwhile } = this.#sentences;
    this.#log.notice(broken, { since, meanwhile, ...fields }, 'WARNING');
  }

  /** The WARNING is in the log, and the line of its end is not. */
  get isReported(): boolean {
    return this.#isReported;
  }

  works(): void {
    const since = this.#since;
    this.#since = undefined;
    if (!this.#isReported || since === undefined) return;
    this.#isReported = false;
    this.#log.notice(this.#sentences.restored, { seconds: Math.round((this.#clock.monotonic() - since) / 1000) });
  }
}
