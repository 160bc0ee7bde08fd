/** Is what a process holds the same at the end of a soak as at its beginning? */
import { median, type Sample } from './process.ts';
import type { Count, Wrong } from './tally.ts';

interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly of: (sample: Sample) => number;
  readonly count: Count;
  /** How much more the last quarter may show than the first: a part of it, and so much beside that. */
  readonly part: number;
  readonly more: number;
}

/**
 * The load is the same all the time, so that quarters differ by chance only: the medians of RSS by up to 7 MB, those of
 * sockets by 8 (logs read at the same time; connections are kept for a minute). A leak of 6 KB a job, or of one socket in
 * 200 jobs, is more than the bounds after half an hour; so is anything larger, sooner. What a process keeps of the last
 * 1,000 jobs (final states, uids of deleted objects) is 1.5 MB, and grows no more then.
 */
const MEASURES: readonly Measure[] = [
  { name: 'RSS', unit: ' MB', of: ({ megabytes }) => megabytes, count: 'memory growing', part: 0.1, more: 12 },
  { name: 'fds', unit: '', of: ({ descriptors }) => descriptors, count: 'descriptors growing', part: 0.25, more: 8 },
  { name: 'sockets', unit: '', of: ({ sockets }) => sockets, count: 'sockets growing', part: 0.25, more: 8 },
];

/**
 * Medians and maxima of the first and of the last quarter; red where one of them has grown. Who was started again opened
 * all streams at once, and keeps their connections for a minute: in a short quarter the median is which half of its life
 * was caught, so that only maxima are judged.
 */
export function judgeFlat(
  { name, isRestarted }: { readonly name: string; readonly isRestarted: boolean },
  samples: readonly Sample[],
  wrong: Wrong,
): string {
  const judged = isRestarted ? (['most'] as const) : (['median', 'most'] as const);
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  const [first, last] = [samples.slice(0, quarter), samples.slice(-quarter)];
  const said = MEASURES.map(({ name: measure, unit, of, count, part, more }) => {
    const early = summaryOf(first.map(of));
    const late = summaryOf(last.map(of));
    if (samples.length === 0) wrong(count, `${name}: nothing was sampled`);
    for (const which of judged) {
      const limit = early[which] * (1 + part) + more;
      if (late[which] <= limit) continue;
      const grown = `${early[which].toFixed(0)} to ${late[which].toFixed(0)}${unit}, at most ${limit.toFixed(0)}`;
      wrong(count, `${name}: ${measure}, ${which} of a quarter, from ${grown}`);
    }
    return `${measure} ${told(early)} -> ${told(late)}${unit}`;
  });
  return `${name} (median/max of the first and last quarter): ${said.join(', ')}`;
}

interface Summary {
  readonly median: number;
  readonly most: number;
}

const summaryOf = (values: readonly number[]): Summary => ({ median: median(values), most: Math.max(0, ...values) });
const told = ({ median, most }: Summary): string => `${median.toFixed(0)}/${most.toFixed(0)}`;
