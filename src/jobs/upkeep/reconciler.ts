/**
 * What has to be done for a job after something was seen of it for a while, whichever instance submitted it: a crash in
 * between two steps heals this way. Times are this process's own observation, never compared with other clocks.
 */
import { Backoff } from '../../kubernetes/http/backoff.ts';
import { repeat } from '../../system/async.ts';
import type { Context } from '../context.ts';
import type { JobEntry } from '../view/record.ts';

export interface Chore {
  /** For the log: "Stopping a job again". */
  readonly name: string;
  /** Milliseconds for which `isDue` must have held; also the pause after an attempt. It grows while attempts fail. */
  readonly afterMs: number;
  readonly isDue: (entry: JobEntry) => boolean;
  readonly act: (entry: JobEntry) => Promise<void>;
}

/** One chore of one job. */
interface Turn {
  /** The next attempt, by the monotonic clock. */
  at: number;
  isBusy: boolean;
  readonly backoff: Backoff;
}

const EVERY_MS = 5_000;
/** After failures. */
const LONGEST_PAUSE_MS = 60_000;

/** Looks at all jobs every 5 s until the signal ends; never rejects. */
export async function runChores(
  { clock, random, repository, log }: Pick<Context, 'clock' | 'random' | 'repository' | 'log'>,
  chores: readonly Chore[],
  signal: AbortSignal,
): Promise<void> {
  /** By chore and job: those that are due, or under way. */
  const all = new Map(chores.map((chore) => [chore, new Map<string, Turn>()]));
  await repeat(clock, EVERY_MS, signal, async () => {
    for (const [chore, turns] of all) lookAt(chore, turns);
  });

  function lookAt(chore: Chore, turns: Map<string, Turn>): void {
    const due = new Set<string>();
    for (const entry of repository.entries()) {
      if (!isDue(chore, entry)) continue;
      due.add(entry.uid);
      const turn = turns.get(entry.uid) ?? firstTurn(chore);
      turns.set(entry.uid, turn);
      if (!turn.isBusy && clock.monotonic() >= turn.at) void take(chore, entry, turn);
    }
    for (const [uid, { isBusy }] of turns) if (!due.has(uid) && !isBusy) turns.delete(uid);
  }

  /** One odd job must not end the chores of all. */
  function isDue(chore: Chore, entry: JobEntry): boolean {
    try {
      return chore.isDue(entry);
    } catch (error) {
      log.error(`BUG: ${chore.name}: it cannot be told whether it is due`, { job: entry.id, error });
      return false;
    }
  }

  function firstTurn({ afterMs }: Chore): Turn {
    const backoff = new Backoff(clock, random, { first: 2 * EVERY_MS, longest: LONGEST_PAUSE_MS });
    return { at: clock.monotonic() + afterMs, isBusy: false, backoff };
  }

  async function take(chore: Chore, entry: JobEntry, turn: Turn): Promise<void> {
    turn.isBusy = true;
    log.info(chore.name, { job: entry.id });
    let pause = chore.afterMs;
    try {
      await chore.act(entry);
      turn.backoff.reset();
    } catch (error) {
      if (!signal.aborted) log.warning(`${chore.name} did not work`, { job: entry.id, error });
      pause = turn.backoff.next(error);
    }
    turn.at = clock.monotonic() + pause;
    turn.isBusy = false;
  }
}
