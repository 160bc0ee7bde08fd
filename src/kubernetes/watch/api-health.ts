/** API health: reports an outage of the API server once, and its end once, for all watches together. */
import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import { KubernetesError, type KubernetesErrorCode } from '../kubernetes-error.ts';

interface Outage {
  readonly sentence: string;
  /** Failures in a row from which it is reported, because single connections are lost now and then. */
  readonly from: number;
}

const NO_ANSWER: Outage = { sentence: 'API server unreachable; retrying', from: 2 };

/** Failures that affect all watches; every other code is the answer of a working server. */
const OUTAGES: Readonly<Partial<Record<KubernetesErrorCode, Outage>>> = {
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
  'server-error': { sentence: 'API server returns errors; retrying', from: 2 },
};

export class ApiHealth {
  readonly #clock: Clock;
  readonly #log: Log;
  /** Watches that fail. */
  readonly #failing = new Set<string>();
  /** Sentences logged during this outage. */
  readonly #reported = new Set<string>();
  #since = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** A watch failed, for the nth time in a row. True if the failure affects all watches; callers must not log it themselves. */
  failed(watch: string, error: Error, times: number): boolean {
    const outage = error instanceof KubernetesError ? OUTAGES[error.code] : undefined;
    if (outage === undefined) return false;
    if (times < outage.from) return true;
    if (this.#failing.size === 0) {
      this.#since = this.#clock.monotonic();
      this.#reported.clear();
    }
    this.#failing.add(watch);
    if (!this.#reported.has(outage.sentence)) this.#log.notice(outage.sentence, { error }, 'WARNING');
    this.#reported.add(outage.sentence);
    return true;
  }

  succeeded(watch: string): void {
    if (!this.#failing.delete(watch) || this.#failing.size > 0) return;
    const seconds = Math.round((this.#clock.monotonic() - this.#since) / 1000);
    this.#log.notice('API server reachable again', { seconds });
  }

  /** A watch was stopped; it does not count any more. */
  stopped(watch: string): void {
    this.#failing.delete(watch);
  }
}
