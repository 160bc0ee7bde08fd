/**
 * A time that goes on only when nothing happens any more: it jumps from one timer to the next as soon as all that the
 * last one led to is over, connections and the processes of containers included. So what comes out does not depend on
 * how fast the machine is.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSleep } from '../kubelet/rest.ts';
import type { ClusterClock, ContainerTime } from '../timers.ts';

export interface DrivenClock {
  /** Milliseconds since it began. */
  readonly now: () => number;
  readonly after: ClusterClock['after'];
  readonly sleep: (ms: number) => Promise<void>;
  /** True as soon as `wanted` holds when nothing happens any more; false after `ms`. Asked again when `version` changes. */
  readonly until: (wanted: () => boolean, ms: number, version: () => number) => Promise<boolean>;
  /** The clock of a cluster that shows `start` (milliseconds since 1970) now. */
  readonly showing: (start: number) => ClusterClock;
  /** Lets time go on until `work` is over. */
  readonly drive: <T>(work: Promise<T>) => Promise<T>;
  readonly close: () => void;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

interface Wait {
  readonly wanted: () => boolean;
  readonly version: () => number;
  readonly done: (held: boolean) => void;
  seen: number | undefined;
}

/** So many turns of the event loop without an event: none is on its way. */
const TURNS = 4;
/** How often processes that work are looked at, milliseconds of this machine. */
const LOOK_MS = 1;
/** What is not over by then waits for something that never comes. */
const LONGEST_MS = 3_600_000;

export function drivenClock(): DrivenClock {
  const folder = mkdtempSync(join(tmpdir(), 'driven-clock-'));
  writeSleep(folder);
  /** The next one last. */
  const timers: Timer[] = [];
  const waits = new Set<Wait>();
  const restful = new Set<() => boolean>();
  let now = 0;

  function after(ms: number, run: () => void): () => void {
    const timer = { at: now + Math.max(0, ms), run };
    let index = timers.length;
    while (index > 0 && (timers[index - 1]?.at ?? 0) <= timer.at) index -= 1;
    timers.splice(index, 0, timer);
    return () => {
      const at = timers.indexOf(timer);
      if (at >= 0) timers.splice(at, 1);
    };
  }

  async function settle(): Promise<void> {
    for (let turns = 0; turns < TURNS; turns++) {
      const before = events();
      await new Promise((resolve) => setImmediate(resolve));
      if (events() !== before) turns = -1;
      else if (![...restful].every((isAtRest) => isAtRest())) {
        turns = -1;
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    }
  }

  /** Whether somebody who waited goes on now. */
  function tellWaiting(): boolean {
    const held = [...waits].filter((wait) => {
      const version = wait.version();
      if (version === wait.seen) return false;
      wait.seen = version;
      return wait.wanted();
    });
    for (const { done } of held) done(true);
    return held.length > 0;
  }

  const containers: ContainerTime = {
    programs: folder,
    waitFor: (isAtRest) => {
      restful.add(isAtRest);
      return () => restful.delete(isAtRest);
    },
  };
  return {
    now: () => now,
    after,
    showing: (start) => {
      const begun = now;
      const show = (): number => start + now - begun;
      return { now: show, precise: show, after, containers };
    },
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
    until: (wanted, ms, version) =>
      new Promise((resolve) => {
        const wait: Wait = {
          wanted,
          version,
          seen: undefined,
          done: (held) => {
            waits.delete(wait);
            cancel();
            resolve(held);
          },
        };
        const cancel = after(ms, () => wait.done(false));
        waits.add(wait);
      }),
    drive: async (work) => {
      let isOver = false;
      const end = (): void => {
        isOver = true;
      };
      work.then(end, end);
      for (;;) {
        await settle();
        if (isOver) return await work;
        if (tellWaiting()) continue;
        const next = timers.pop();
        if (next === undefined || next.at > LONGEST_MS) throw new Error('BUG: it waits for what never comes');
        now = next.at;
        next.run();
      }
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** How many events of connections, pipes and children there were so far. */
function events(): number {
  return performance.nodeTiming.uvMetricsInfo.events;
}
