/**
 * What has to be done for a job after something was seen of it for a while, whichever instance submitted it: a crash in
 * between two steps heals this way. Times are this process's own observation, never compared with other clocks.
 */
import { sleep } from '../system/clock.ts';
import type { Context } from './context.ts';
import type { JobEntry } from './entry.ts';

export interface Chore {
  /** For the log: "Stopping a job again". */
  readonly name: string;
  /** Milliseconds for which `isDue` must have held; also the pause between two attempts. */
  readonly afterMs: number;
  readonly isDue: (entry: JobEntry) => boolean;
  readonly act: (entry: JobEntry) => Promise<void>;
}

const EVERY_MS = 5_000;

/** Looks at all jobs every 5 s until the signal ends; never rejects. */
export async function runChores(
  { clock, repository, log }: Pick<Context, 'clock' | 'repository' | 'log'>,
  chores: readonly Chore[],
  signal: AbortSignal,
): Promise<void> {
  /** By chore, the jobs for which it is due, and since when. */
  const due = new Map(chores.map((chore) => [chore, new Map<string, number>()]));
  while (!signal.aborted) {
    for (const [chore, since] of due) lookAt(chore, since);
    await sleep(clock, EVERY_MS, signal).catch(() => {});
  }

  function lookAt(chore: Chore, since: Map<string, number>): void {
    const now = clock.monotonic();
    const stillDue = new Set<string>();
    for (const entry of repository.entries()) {
      if (!chore.isDue(entry)) continue;
      stillDue.add(entry.uid);
      const first = since.get(entry.uid) ?? now;
      since.set(entry.uid, first);
      if (now - first < chore.afterMs) continue;
      since.set(entry.uid, now);
      log.info(chore.name, { job: entry.id });
      chore.act(entry).catch((error: unknown) => {
        if (!signal.aborted) log.warning(`${chore.name} did not work`, { job: entry.id, error });
      });
    }
    for (const uid of since.keys()) if (!stillDue.has(uid)) since.delete(uid);
  }
}
