/**
 * The recorded exchanges with a real cluster, as fixtures/recordings holds them: trimmed to what is compared.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Json } from '../api/patch.ts';

export interface Exchange {
  readonly n: number;
  /** Milliseconds since the scenario began. */
  readonly t: number | null;
  readonly method: string | null;
  readonly path: string | null;
  /** `<launcher-token>`, `admin`, `none`, or a token that is no good. */
  readonly as: string;
  readonly type?: string;
  readonly accept?: string;
  readonly protocol?: string;
  readonly body?: Json;
  /** A body that is not JSON. */
  readonly raw?: string;
  readonly status: number | null;
  readonly headers?: readonly (readonly [string, string])[];
  readonly answer?: Json;
  readonly text?: string;
  readonly frames?: readonly (readonly [channel: number, text: string])[];
  /** Frames of the client: time, opcode, payload in hexadecimal. */
  readonly sent?: readonly (readonly [number, number, string])[];
  readonly end?: string;
  readonly note?: string;
}

const FOLDER = new URL('../../../fixtures/recordings/', import.meta.url);

export function scenarioNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => /^\d/.test(name))
    .sort();
}

export function exchangesOf(scenario: string): Exchange[] {
  const lines = readFileSync(new URL(`${scenario}/exchanges.jsonl`, FOLDER), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line));
}
