/**
 * Which recorded exchanges are not compared, or answered differently on purpose, and why (table.json). Everything that
 * is not listed there must agree.
 */
import { readFileSync } from 'node:fs';

interface Row {
  /** Reason -> numbers of exchanges that cannot be made here. */
  readonly notMakeable: Readonly<Record<string, readonly number[]>>;
  /** Reason -> numbers of exchanges whose answers differ. */
  readonly differs: Readonly<Record<string, readonly number[]>>;
}

type Table = Readonly<Record<string, Row>>;

export function readTable(): Table {
  return JSON.parse(readFileSync(new URL('table.json', import.meta.url), 'utf8'));
}

export function numbersOf(reasons: Readonly<Record<string, readonly number[]>>): number[] {
  return Object.values(reasons).flat();
}
