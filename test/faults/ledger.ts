/** What an executable said of its jobs on the status stream, in the order in which it said it. */
import type { StatusFrame } from '../support/launcher.ts';

const TERMINAL: ReadonlySet<string> = new Set(['Finished', 'Failed', 'Killed', 'Canceled']);

const RANKS: ReadonlyMap<string, number> = new Map([
  ['Pending', 0],
  ['Running', 1],
]);
const rank = (state: string): number => RANKS.get(state) ?? 2;

export interface Ledger {
  /** What comes from now on belongs to another conversation: the executable was started again. */
  readonly turnPage: () => void;
  readonly take: (frame: StatusFrame) => void;
  /** Of the conversation of now. */
  readonly frames: (id: string) => readonly StatusFrame[];
  /** The terminal state that was reported first in the current session. */
  readonly end: (id: string) => StatusFrame | undefined;
  /** The frames of each conversation that had any of this job, the oldest first. */
  readonly conversations: (id: string) => readonly (readonly StatusFrame[])[];
  /**
   * Resolves when a frame of this job is accepted, of the conversation of now or a later one; with undefined when the
   * signal ends.
   */
  readonly until: (
    id: string,
    wanted: (frame: StatusFrame) => boolean,
    signal: AbortSignal,
  ) => Promise<StatusFrame | undefined>;
  /** Frames that are missing between two that came. */
  readonly gaps: () => number;
}

export const isEnd = ({ status }: Pick<StatusFrame, 'status'>): boolean => TERMINAL.has(status);

export function createLedger(): Ledger {
  const earlier: ReadonlyMap<string, readonly StatusFrame[]>[] = [];
  let byJob = new Map<string, StatusFrame[]>();
  const waiters = new Set<(frame: StatusFrame) => void>();
  let lastSeq = 0;
  let gaps = 0;

  return {
    turnPage: () => {
      earlier.push(byJob);
      byJob = new Map();
      lastSeq = 0;
    },
    take: (frame) => {
      if (frame.seqId !== lastSeq + 1) gaps++;
      lastSeq = frame.seqId;
      const known = byJob.get(frame.id) ?? [];
      known.push(frame);
      byJob.set(frame.id, known);
      for (const waiter of [...waiters]) waiter(frame);
    },
    frames: (id) => byJob.get(id) ?? [],
    end: (id) => byJob.get(id)?.find(isEnd),
    conversations: (id) =>
      [...earlier, byJob].flatMap((page) => [page.get(id) ?? []]).filter(({ length }) => length > 0),
    until: (id, wanted, signal) =>
      new Promise((resolve) => {
        const known = byJob.get(id)?.find(wanted);
        if (known !== undefined || signal.aborted) return resolve(known);
        const settle = (frame?: StatusFrame): void => {
          waiters.delete(waiter);
          signal.removeEventListener('abort', onAbort);
          resolve(frame);
        };
        const waiter = (frame: StatusFrame): void => {
          if (frame.id === id && wanted(frame)) settle(frame);
        };
        const onAbort = (): void => settle();
        waiters.add(waiter);
        signal.addEventListener('abort', onAbort, { once: true });
      }),
    gaps: () => gaps,
  };
}

/** What is wrong with the order of a job's states; '' if nothing is. A job that is suspended is Pending again. */
export function disorder(frames: readonly StatusFrame[], isSuspended: boolean): string {
  let last = -1;
  let end: StatusFrame | undefined;
  for (const frame of frames) {
    if (end !== undefined) return `${frame.status} after ${end.status}`;
    if (rank(frame.status) < last && !isSuspended) return frames.map(({ status }) => status).join(', ');
    last = rank(frame.status);
    if (isEnd(frame)) end = frame;
  }
  return '';
}
