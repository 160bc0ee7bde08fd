/** What an item of the benchmark is given, and gives. */
import type { Contestants } from './contestant.ts';
import type { Reach, Row } from './report.ts';
import type { Server } from './world.ts';

/** What an item of the benchmark works with. */
export interface Bench {
  readonly server: Server;
  readonly contestants: Contestants;
  readonly quick: boolean;
  /** How often everything is measured; the median counts. */
  readonly runs: number;
  /** Says what is being done. */
  readonly progress: (text: string) => void;
  /** Remembers how busy the server was, in parts of one core. */
  readonly busy: (what: string, part: number) => void;
}

export type Item = (bench: Bench) => Promise<readonly Row[]>;

/** Something that must be so for the numbers to mean anything. */
export function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`the benchmark is not right: ${what}`);
}

/** A row with one number of ours, compared with nothing. */
export function ownRow(item: Row['item'], what: string, value: number, unit: string, reach: Reach): Row {
  return { item, what, bars: [{ name: 'ours', value }], unit, result: value, reach, ratio: false };
}
