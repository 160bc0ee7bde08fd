/**
 * API health: reports an outage of the API server once, and its end once, for all watches together. Watches of a quiet cluster are
 * silent, so the version is read every few seconds as well: a server that accepts connections and answers nothing is noticed.
 * A watch that is silent while the server answers other requests is reported in the same way.
 */
import { repeat } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import { Outage } from '../../system/outage.ts';
import type { CallOptions } from '../contract.ts';
import { KubernetesError, type KubernetesErrorCode } from '../kubernetes-error.ts';

interface Failure {
  readonly sentence: string;
  /** Failures in a row from which it is reported, because single connections are lost now and then. */
  readonly from: number;
}

const NO_ANSWER: Failure = { sentence: 'API server unreachable; retrying', from: 2 };

/** Failures that affect all watches; every other code is the answer of a working server. */
const OUTAGES: Readonly<Partial<Record<KubernetesErrorCode, Failure>>> = {
  timeout: NO_ANSWER,
  unreachable: NO_ANSWER,
  interrupted: NO_ANSWER,
  tls: {
    sentence:
      'TLS connection to the API server failed; check certificate-authority with rstudio-kubernetes-launcher check; retrying',
    from: 1,
  },
  unauthorized: {
    sentence: 'API server rejected the token (401); run rstudio-kubernetes-launcher check; retrying',
    from: 1,
  },
  redirected: { sentence: 'API server answers with a redirect; correct api-url; retrying', from: 1 },
  'server-error': { sentence: 'API server returns errors; retrying', from: 2 },
};

/** Pause between two reads of the version, and the deadline of one: together less than 15 s. */
const PROBE_PAUSE_MS = 5_000;
const PROBE_TIMEOUT_MS = 8_000;
/** A read of the version includes retries, so one failure is reported. */
const PROBE_FAILURES = 2;
const PROBE = 'version';
/** While the server works, its last answer is not older. */
const RECENT_MS = PROBE_PAUSE_MS + 1_000;

/** What users see during an outage. */
const MEANWHILE =
  'running jobs continue; lists show the last known state of each job; submit, stop, kill and output wait, then fail';

const SILENCE = {
  broken: 'Watch of the API server is silent; opening it again',
  meanwhile: 'the API server answers other requests; changes of these objects are shown when the watch works again',
  restored: 'Watch of the API server works again',
};

export class ApiHealth {
  readonly #clock: Clock;
  readonly #log: Log;
  /** Watches that fail. */
  readonly #failing = new Set<string>();
  /** Sentences logged during this outage. */
  readonly #reported = new Set<string>();
  /** Times of the last answer: of this host's clock, and monotonic. Undefined before the first one. */
  #answered: { readonly now: number; readonly monotonic: number } | undefined;
  #since = { now: 0, monotonic: 0 };
  /** Watches that are silent, and since when (monotonic). */
  readonly #silent = new Map<string, number>();
  readonly #silence: Outage;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#silence = new Outage(clock, log, SILENCE);
  }

  /** A watch failed, for the nth time in a row. True if the failure affects all watches; callers must not log it themselves. */
  failed(watch: string, error: Error, times: number): boolean {
    const outage = error instanceof KubernetesError ? OUTAGES[error.code] : undefined;
    if (outage === undefined) return false;
    if (times < outage.from) return true;
    if (this.#failing.size === 0) {
      this.#since = this.#answered ?? this.#time();
      this.#reported.clear();
      // They are silent because of this outage.
      if (!this.#silence.isReported) this.#silent.clear();
    }
    this.#failing.add(watch);
    const since = new Date(this.#since.now).toISOString();
    if (!this.#reported.has(outage.sentence))
      this.#log.notice(outage.sentence, { since, meanwhile: MEANWHILE, error }, 'WARNING');
    this.#reported.add(outage.sentence);
    return true;
  }

  succeeded(watch: string): void {
    this.#answered = this.#time();
    this.#reportSilence();
    if (!this.#failing.delete(watch) || this.#failing.size > 0) return;
    const seconds = Math.round((this.#clock.monotonic() - this.#since.monotonic) / 1000);
    this.#log.notice('API server reachable again', { seconds });
  }

  /** A watch has received nothing for this time, although there was something to receive. */
  silent(watch: string, forMs: number): void {
    const now = this.#clock.monotonic();
    if (!this.#silent.has(watch)) this.#silent.set(watch, now - forMs);
    // Without a recent answer all watches may be silent: the next read of the version decides.
    if (this.#answered !== undefined && now - this.#answered.monotonic <= RECENT_MS) this.#reportSilence();
  }

  /** A silent watch was opened again, or has shown what was missing. */
  heard(watch: string): void {
    if (this.#silent.delete(watch) && this.#silent.size === 0) this.#silence.works();
  }

  /** A watch was stopped; it does not count any more. */
  stopped(watch: string): void {
    this.#failing.delete(watch);
    this.heard(watch);
  }

  /** Reads the version until the signal is aborted. Never rejects. */
  probe(version: (options: CallOptions) => Promise<unknown>, signal: AbortSignal): Promise<void> {
    return repeat(this.#clock, PROBE_PAUSE_MS, signal, async () => {
      try {
        await version({ signal, timeoutMs: PROBE_TIMEOUT_MS });
        this.succeeded(PROBE);
      } catch (error) {
        if (signal.aborted) return;
        const isOutage = error instanceof Error && this.failed(PROBE, error, PROBE_FAILURES);
        if (!isOutage) this.succeeded(PROBE);
      }
    });
  }

  #reportSilence(): void {
    const [first] = this.#silent;
    if (first === undefined || this.#failing.size > 0) return;
    const [kind, since] = first;
    this.#silence.failed({ kind }, this.#clock.monotonic() - since);
  }

  #time(): { readonly now: number; readonly monotonic: number } {
    return { now: this.#clock.now(), monotonic: this.#clock.monotonic() };
  }
}
