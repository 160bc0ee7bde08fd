/**
 * Latencies of an ordinary user in a soak, during an attack, against those before it. Bounds are about the time that the
 * plugin's event loop works before the ordinary user has the answer; time on the clock would depend on what else the machine does.
 */
import { CALLS, type Kind, type Latency } from '../hostile/ordinary.ts';

type Latencies = ReadonlyMap<Kind, readonly Latency[]>;

/** The work before the attack may double, and so much more: a turn of the event loop for others, also on a slow machine. */
const FLOOR_MS = 50;
/** Compared are the median and the latency that nine of ten requests do not exceed. */
const RANKS = [0.5, 0.9];

/** A sentence for each kind of request that took too long. */
export function slowRequests(kinds: readonly Kind[], quiet: Latencies, attacked: Latencies): readonly string[] {
  return kinds
    .filter((kind) => kind !== 'past')
    .flatMap((kind) =>
      RANKS.flatMap((rank) => {
        // While the plugin waits for the API server and for this program, it works for others.
        const waits = (CALLS[kind] + 1) * ranked(attacked, 'past', 'wall', rank);
        const bound = 2 * ranked(quiet, kind, 'work', rank) + FLOOR_MS + waits;
        const found = ranked(attacked, kind, 'work', rank);
        if (found <= bound) return [];
        return [`${kind}: ${rank * 100} % of the requests took up to ${ms(found)} of work; at most ${ms(bound)}`];
      }),
    );
}

/** Ranks of the time on the clock, and of the work. */
export function shown(latencies: Latencies, kind: Kind): string {
  const both = (measure: keyof Latency): string =>
    RANKS.map((rank) => ranked(latencies, kind, measure, rank).toFixed(0)).join('/');
  return `${both('wall')} (${both('work')})`;
}

/** The latency that this part of the requests did not exceed; without a request, without limit. */
function ranked(latencies: Latencies, kind: Kind, measure: keyof Latency, rank: number): number {
  const sorted = (latencies.get(kind) ?? []).map((latency) => latency[measure]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * rank)] ?? Number.POSITIVE_INFINITY;
}

const ms = (value: number): string => `${value.toFixed(0)} ms`;
