/**
 * How long calls to the cluster took, as message 203 reports it (protocol 15).
 */
import type { LatencySample } from './responses.ts';

/** Upper bounds of the buckets in seconds; what took longer counts in the sum alone. */
const BOUNDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 30] as const;

export interface LatencyHistogram {
  /** One call to the cluster took this long. */
  readonly observe: (seconds: number) => void;
  /** What was observed since the last time this was called; undefined: nothing. */
  readonly take: () => LatencySample | undefined;
}

export function createLatencyHistogram(): LatencyHistogram {
  const empty = (): number[] => BOUNDS.map(() => 0);
  let buckets = empty();
  let sum = 0;
  let observed = false;
  return {
    observe: (seconds) => {
      observed = true;
      sum += seconds;
      const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
      if (bucket >= 0) buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    },
    take: () => {
      if (!observed) return undefined;
      const sample = { buckets, sum };
      buckets = empty();
      sum = 0;
      observed = false;
      return sample;
    },
  };
}
