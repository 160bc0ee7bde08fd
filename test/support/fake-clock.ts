/** Time that goes on when a test says so. */
import type { Clock } from '../../src/system/clock.ts';

/** A clock that moves only in `advance`. */
interface FakeClock extends Clock {
  /** Moves time on, and runs what is due on the way, in order. */
  readonly advance: (ms: number) => void;
}

/** Starts at `start`, milliseconds since 1970. */
export function fakeClock(start = Date.UTC(2026, 0, 2, 3, 4, 5, 678)): FakeClock {
  let now = start;
  const due = new Map<object, { at: number; run: () => void }>();
  return {
    now: () => now,
    monotonic: () => now - start,
    after: (ms, run) => {
      const key = {};
      due.set(key, { at: now + ms, run });
      return () => due.delete(key);
    },
    advance: (ms) => {
      const end = now + ms;
      for (;;) {
        const [next] = [...due].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
        if (next === undefined) break;
        due.delete(next[0]);
        now = Math.max(now, next[1].at);
        next[1].run();
      }
      now = end;
    },
  };
}
