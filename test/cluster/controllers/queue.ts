/**
 * A work queue of keys, as controllers use it: a key waits once, at its earliest time; it is worked on by one at a time.
 */
import type { Timers } from '../timers.ts';

interface WorkQueue {
  readonly add: (key: string, delayMs: number) => void;
}

export function createQueue(timers: Timers, work: (key: string) => void): WorkQueue {
  const due = new Map<string, { at: number; cancel: () => void }>();
  return {
    add: (key, delayMs) => {
      const at = timers.now() + delayMs;
      const waiting = due.get(key);
      if (waiting !== undefined && waiting.at <= at) return;
      waiting?.cancel();
      const cancel = timers.after(delayMs, () => {
        due.delete(key);
        work(key);
      });
      due.set(key, { at, cancel });
    },
  };
}
