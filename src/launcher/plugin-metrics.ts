/** Metrics of the plugin itself, as message 203 reports them (launcher-plugin-api.md section 15). */

export interface PluginMetrics {
  readonly uptimeSeconds: number;
  /** 0 if it is not known. */
  readonly memoryUsageBytes: number;
  readonly clusterInteractionLatencySample?: LatencySample;
}

/** Counts since the last report: ten buckets, not cumulative; `sum` in seconds. */
interface LatencySample {
  readonly buckets: readonly number[];
  readonly sum: number;
}

/** Upper bounds of the buckets in seconds; a longer call counts in the sum alone. */
const BOUNDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 30] as const;

/** Durations of calls to the API server since the last report. */
export class LatencyHistogram {
  #buckets: number[] = BOUNDS.map(() => 0);
  #sum = 0;
  #isEmpty = true;

  observe(seconds: number): void {
    this.#isEmpty = false;
    this.#sum += seconds;
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  /** The durations since the last call of `take`; undefined if there are none. */
  take(): LatencySample | undefined {
    if (this.#isEmpty) return undefined;
    const sample = { buckets: this.#buckets, sum: this.#sum };
    this.#buckets = BOUNDS.map(() => 0);
    this.#sum = 0;
    this.#isEmpty = true;
    return sample;
  }
}
