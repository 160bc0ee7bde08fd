/**
 * Reconciler: what the plugin does for jobs without a request, whichever instance submitted them. All rules are evaluated
 * for all jobs every 5 s, prompt rules also after each update of a job; failed attempts are retried with backoff.
 */
import { Backoff } from '../../kubernetes/http/backoff.ts';
import { isMissingPermission } from '../../kubernetes/kubernetes-error.ts';
import { nextTurn, repeat, within } from '../../system/async.ts';
import type { SharedLimit } from '../../system/shares.ts';
import type { JobsContext } from '../context.ts';
import type { JobRecord } from '../view/record.ts';

export interface Rule {
  /** Kebab-case; field `rule` of the log lines. */
  readonly name: string;
  /** Sentence for the log after a failed attempt; "; retrying" is appended. */
  readonly failure: string;
  /** Pure. */
  readonly due: (record: JobRecord) => boolean;
  readonly act: (record: JobRecord) => Promise<void>;
  /**
   * For how long the rule must have been due before its first attempt, which a change of the job can shorten; also the
   * shortest pause between attempts. Default: 0.
   */
  readonly afterMs?: (record: JobRecord) => number;
  /** Evaluated after each update of a job, too. */
  readonly prompt?: true;
  /** Applies to deleted Jobs, too. */
  readonly coversDeleted?: true;
  /** Attempted at the end of the process for all jobs for which it is due, without waiting. */
  readonly beforeExit?: true;
  /** Attempts under way at the same time. Default: 16. */
  readonly concurrency?: number;
  /** The same as a limit that users share, for attempts that a user can make last long; instead of `concurrency`. */
  readonly shares?: SharedLimit;
}

type ReconcilerContext = Pick<JobsContext, 'clock' | 'random' | 'repository' | 'log'>;

const EVERY_MS = 5_000;
/** After failed attempts. */
const BACKOFF = { first: 1_000, longest: 60_000 };
const CONCURRENCY = 16;
/** Time for the rules with `beforeExit`: the process exits in 1.5 s. */
const EXIT_MS = 1_000;
/** Jobs that are evaluated without a break: requests of users are answered in between. */
const BATCH = 100;

/** Runs until the signal is aborted, and then the rules with `beforeExit`; never rejects. */
export async function runReconciler(
  context: ReconcilerContext,
  rules: readonly Rule[],
  signal: AbortSignal,
): Promise<void> {
  const { clock, repository } = context;
  const runners = rules.map((rule) => new RuleRunner(context, rule, signal));
  const promptRunners = runners.filter(({ isPrompt }) => isPrompt);
  const stopListening = repository.onUpdate((record) => {
    for (const runner of record.deleted ? runners : promptRunners) runner.evaluate(record);
  });
  try {
    await repeat(clock, EVERY_MS, signal, async () => {
      const records = [...repository.records()];
      for (let from = 0; from < records.length && !signal.aborted; from += BATCH) {
        for (const record of records.slice(from, from + BATCH)) for (const runner of runners) runner.evaluate(record);
        await nextTurn();
      }
    });
  } finally {
    stopListening();
    for (const runner of runners) runner.end();
  }
  const last = runners.flatMap((runner) => runner.lastAttempts(repository.records()));
  if (last.length > 0) await within(clock, EXIT_MS, () => Promise.all(last));
}

/** One rule for one job: due, or under way. */
interface Attempt {
  /** The next attempt, by the monotonic clock. */
  at: number;
  isBusy: boolean;
  isFirst: boolean;
  readonly backoff: Backoff;
  cancelTimer?: (() => void) | undefined;
}

/** Attempts of one rule, by the uid of the job. */
class RuleRunner {
  readonly #context: ReconcilerContext;
  readonly #rule: Rule;
  readonly #signal: AbortSignal;
  readonly #attempts = new Map<JobRecord['uid'], Attempt>();
  /** Jobs that wait until an attempt for another job has ended. */
  readonly #queue = new Set<JobRecord>();
  #busy = 0;
  /** While a permission is missing: the uid of the only job that retries. */
  #denied: JobRecord['uid'] | undefined;
  #isDenialLogged = false;

  constructor(context: ReconcilerContext, rule: Rule, signal: AbortSignal) {
    this.#context = context;
    this.#rule = rule;
    this.#signal = signal;
  }

  get isPrompt(): boolean {
    return this.#rule.prompt === true;
  }

  /** Starts an attempt that is due now, or a timer for one that is due later. */
  evaluate(record: JobRecord): void {
    const known = this.#attempts.get(record.uid);
    if (known?.isBusy === true || this.#signal.aborted) return;
    if (!this.#isDue(record)) {
      this.#forget(record, known);
      return;
    }
    const { clock } = this.#context;
    const attempt = known ?? this.#newAttempt(record);
    if (attempt.isFirst) this.#shorten(record, attempt);
    const waitMs = attempt.at - clock.monotonic();
    if (waitMs > 0) {
      attempt.cancelTimer ??= clock.after(waitMs, () => {
        attempt.cancelTimer = undefined;
        this.evaluate(record);
      });
    } else if (this.#takePlace(record)) {
      this.#queue.delete(record);
      void this.#act(record, attempt);
    } else this.#queue.add(record);
  }

  end(): void {
    for (const { cancelTimer } of this.#attempts.values()) cancelTimer?.();
  }

  /** At the end of the process. Each promise is one job after another until an attempt fails; none rejects. */
  lastAttempts(records: Iterable<JobRecord>): readonly Promise<void>[] {
    if (this.#rule.beforeExit !== true) return [];
    const due = [...records].filter((record) => this.#isDue(record));
    const attempts = async (): Promise<void> => {
      for (let record = due.pop(); record !== undefined; record = due.pop()) await this.#rule.act(record);
    };
    return Array.from({ length: Math.min(CONCURRENCY, due.length) }, () =>
      attempts().catch((error: unknown) =>
        this.#context.log.warning(this.#rule.failure, { rule: this.#rule.name, error }),
      ),
    );
  }

  /** For an attempt that starts now. */
  #takePlace({ job }: JobRecord): boolean {
    const { shares, concurrency = CONCURRENCY } = this.#rule;
    return shares === undefined ? this.#busy < concurrency : shares.take(job.request.user) === undefined;
  }

  /** Starts the oldest attempt that has waited and that may have the place of one that has ended. */
  #startNext(): void {
    const before = this.#busy;
    for (const record of this.#queue) {
      this.evaluate(record);
      if (this.#busy > before) return;
    }
  }

  #newAttempt(record: JobRecord): Attempt {
    const { clock, random } = this.#context;
    const at = clock.monotonic() + (this.#rule.afterMs?.(record) ?? 0);
    const attempt: Attempt = { at, isBusy: false, isFirst: true, backoff: new Backoff(clock, random, BACKOFF) };
    this.#attempts.set(record.uid, attempt);
    return attempt;
  }

  /** The wait before the first attempt ends earlier if it is shorter by now. */
  #shorten(record: JobRecord, attempt: Attempt): void {
    const at = this.#context.clock.monotonic() + (this.#rule.afterMs?.(record) ?? 0);
    if (at >= attempt.at) return;
    attempt.at = at;
    attempt.cancelTimer?.();
    attempt.cancelTimer = undefined;
  }

  #forget(record: JobRecord, attempt: Attempt | undefined): void {
    attempt?.cancelTimer?.();
    this.#attempts.delete(record.uid);
    this.#queue.delete(record);
    if (this.#denied === record.uid) this.#denied = undefined;
  }

  #isDue(record: JobRecord): boolean {
    if (record.deleted && this.#rule.coversDeleted !== true) return false;
    if (this.#denied !== undefined && this.#denied !== record.uid) return false;
    try {
      return this.#rule.due(record);
    } catch (error) {
      this.#context.log.error('BUG: cannot evaluate a reconcile rule; skipping it until the job changes', {
        rule: this.#rule.name,
        job: record.id,
        error,
      });
      return false;
    }
  }

  async #act(record: JobRecord, attempt: Attempt): Promise<void> {
    const { clock, log } = this.#context;
    const { user } = record.job.request;
    attempt.isBusy = true;
    attempt.isFirst = false;
    this.#busy++;
    let pauseMs = Math.max(EVERY_MS, this.#rule.afterMs?.(record) ?? 0);
    log.debug('Running a reconcile rule', { rule: this.#rule.name, job: record.id });
    try {
      await this.#rule.act(record);
      attempt.backoff.reset();
      this.#succeeded(record);
    } catch (error) {
      pauseMs = attempt.backoff.next(error);
      if (!this.#signal.aborted) this.#failed(record, error, pauseMs);
    }
    attempt.at = clock.monotonic() + pauseMs;
    attempt.isBusy = false;
    this.#busy--;
    this.#rule.shares?.giveBack(user);
    this.evaluate(record);
    this.#startNext();
  }

  #succeeded({ uid }: JobRecord): void {
    if (this.#denied !== uid) return;
    this.#denied = undefined;
    this.#isDenialLogged = false;
    this.#context.log.info('A permission that was missing is granted now; the rule applies to all jobs again', {
      rule: this.#rule.name,
    });
  }

  #failed({ id, uid }: JobRecord, error: unknown, pauseMs: number): void {
    const { log } = this.#context;
    const { name, failure } = this.#rule;
    const fields = { rule: name, job: id, retrySeconds: Math.round(pauseMs / 1000), error };
    if (!isMissingPermission(error)) {
      if (this.#denied === uid) this.#denied = undefined;
      log.warning(`${failure}; retrying`, fields);
      return;
    }
    this.#denied ??= uid;
    if (this.#isDenialLogged) log.debug(`${failure}; retrying`, fields);
    else log.warning(`${failure}; retrying`, fields);
    this.#isDenialLogged = true;
  }
}
