/**
 * How long a replay waits for what came in time in the recording, in milliseconds of the driven time. What is as recorded
 * waits for nothing.
 */
import type { SimulatedCluster } from '../cluster.ts';
import type { DrivenClock } from './drive.ts';

/** How long an answer may take to become the recorded one. */
export const PATIENCE_MS = 30_000;
export const POLL_MS = 100;
/** How long a stream may go on beyond the recorded end, and any other answer in all. */
export const LIMIT_MS = 60_000;

/** @throws Error after `ms` */
export function within<T>(clock: DrivenClock, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(new Error('no end of the answer')));
    work.then(resolve, reject).finally(cancel);
  });
}

/** Whether it, which depends on what is stored, became true in time. */
export function became(
  { clock, cluster }: { readonly clock: DrivenClock; readonly cluster: SimulatedCluster },
  wanted: () => boolean,
  patienceMs = PATIENCE_MS,
): Promise<boolean> {
  return clock.until(wanted, patienceMs, cluster.store.revision);
}
