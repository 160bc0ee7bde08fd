/** What the jobs of the fault suite write, so that every byte of their output differs from every other. */
import { createHash } from 'node:crypto';
import type { OutputEntry } from '../cluster/journal.ts';

/** How the chunks of a text end: lines, or one line without an end. */
export type Ending = '\n' | ';';

const FILLING = 'abcdefghijklmnopqrstuvwxyz 0123456789';

const piece = (job: string, index: number, ending: Ending): string => `${job} ${index} ${FILLING}${ending}`;

/** A shell command that writes `count` chunks, or chunks without end, with `pause` seconds after each. */
export function writing(job: string, ending: Ending, count: number | 'endless', pause = 0): string {
  const goOn = count === 'endless' ? ':' : `[ $i -lt ${count} ]`;
  const write = ending === '\n' ? `echo "${job} $i ${FILLING}"` : `printf "${job} $i ${FILLING};"`;
  const sleep = pause === 0 ? '' : ` sleep ${pause};`;
  return `i=0; while ${goOn}; do ${write}; i=$((i+1));${sleep} done`;
}

/** The first `bytes` of what such a command writes. */
export function written(job: string, ending: Ending, bytes: number): string {
  let text = '';
  for (let index = 0; text.length < bytes; index++) text += piece(job, index, ending);
  return text.slice(0, bytes);
}

/** Is this text what the journal says that the container wrote? */
export function isJournalled(text: string, entry: OutputEntry): boolean {
  return Buffer.byteLength(text) === entry.bytes && createHash('sha256').update(text).digest('hex') === entry.sha256;
}

interface Difference {
  /** Bytes of the expected text that did not come, or not in their place. */
  readonly lost: number;
  /** Bytes that came and were not expected, or came once more. */
  readonly doubled: number;
}

/** Compares piece by piece, because what is lost and what is doubled may have the same length. */
export function difference(expected: string, received: string): Difference {
  if (expected.startsWith(received)) return { lost: expected.length - received.length, doubled: 0 };
  const left = new Map<string, number>();
  for (const one of pieces(expected)) left.set(one, (left.get(one) ?? 0) + 1);
  let doubled = 0;
  for (const one of pieces(received)) {
    const count = left.get(one) ?? 0;
    if (count === 0) doubled += one.length;
    else left.set(one, count - 1);
  }
  let lost = 0;
  for (const [one, count] of left) lost += one.length * count;
  // Everything is there, in another order.
  if (lost === 0 && doubled === 0) lost = expected.length;
  return { lost, doubled };
}

const pieces = (text: string): readonly string[] => text.split(/(?<=[\n;])/);
