/** The counts of a run: what must be 0, and a sentence for each thing that is wrong. */

/** What must be 0 in every run. */
const COMMON = [
  'states lost',
  'states wrong',
  'states reversed',
  'states changed',
  'bytes lost',
  'doubled',
  'outputs refused',
  'duplicate jobs',
  'ghost jobs',
  'jobs missing',
  'input doubled',
  'addresses wrong',
  'watches repeated',
  'sockets left',
  'timers left',
  'memory growing',
] as const;

/** And in a soak: two instances, the same load all the time, a hostile user, and everything expires. */
const OF_A_SOAK = [
  'jobs not expired',
  'descriptors growing',
  'sockets growing',
  'templates unused',
  'requests slow',
] as const;

export type Count = (typeof COMMON)[number] | (typeof OF_A_SOAK)[number];

export const STORM_COUNTS: readonly Count[] = COMMON;
export const SOAK_COUNTS: readonly Count[] = [...COMMON, ...OF_A_SOAK];

export interface Verdict {
  readonly counts: ReadonlyMap<Count, number>;
  /** A sentence for each thing that is wrong. */
  readonly findings: readonly string[];
  /** What is worth knowing and not wrong. */
  readonly remarks: readonly string[];
}

/** Something is wrong, `by` so much. */
export type Wrong = (count: Count, text: string, by?: number) => void;

interface Tally {
  readonly wrong: Wrong;
  readonly verdict: (remarks: readonly string[]) => Verdict;
}

export function createTally(names: readonly Count[]): Tally {
  const counts = new Map<Count, number>(names.map((name) => [name, 0]));
  const findings: string[] = [];
  return {
    wrong: (count, text, by = 1) => {
      counts.set(count, (counts.get(count) ?? 0) + by);
      findings.push(`${count}: ${text}`);
    },
    verdict: (remarks) => ({ counts, findings, remarks }),
  };
}
