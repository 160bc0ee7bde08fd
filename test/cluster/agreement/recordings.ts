/**
 * The recorded exchanges with a real cluster, as fixtures/recordings holds them: trimmed to what is compared.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isObject, type Json } from '../api/patch.ts';
import type { WatchLine } from './stages.ts';

export interface Exchange {
  readonly n: number;
  /** Milliseconds since the scenario began. */
  readonly t: number | null;
  /** When a stream, or an attempt at one, was over. */
  readonly until?: number;
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
  /** Of a watch: names, annotations of bookmarks, errors. */
  readonly lines?: readonly WatchLine[];
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

/** Where a scenario shows no time. */
const ABOUT_THEN = Date.UTC(2026, 10, 23);

/** When a scenario began, milliseconds since 1970: as the objects that were made show it, the scheduler's events best. */
export function startOf(scenario: string): number {
  const events = watchLinesOf(scenario, 'events', Number.POSITIVE_INFINITY).flatMap(({ t, type, object }) =>
    type === 'ADDED' ? startBy(t, isObject(object) ? object['eventTime'] : null) : [],
  );
  const made = exchangesOf(scenario).flatMap(({ t, method, status, answer }) => {
    if (method !== 'POST' || status !== 201 || !isObject(answer) || !isObject(answer['metadata'])) return [];
    return startBy(t ?? 0, answer['metadata']['creationTimestamp']);
  });
  // What was dated later than it was seen says more: it was seen late, or its fraction of a second is not known.
  return Math.max(...([events, made, [ABOUT_THEN]].find(({ length }) => length > 0) ?? []));
}

function startBy(t: number, dated: Json | undefined): number[] {
  return typeof dated === 'string' ? [Date.parse(dated) - t] : [];
}

/** The lines of the watch of a kind that ran beside a scenario, up to a time; none came where there is no file. */
export function watchLinesOf(
  scenario: string,
  plural: string,
  untilMs: number,
): (WatchLine & { readonly t: number })[] {
  const file = new URL(`${scenario}/watch-${plural}.jsonl`, FOLDER);
  if (!existsSync(file)) return [];
  const lines: { t_ms: number; event: WatchLine }[] = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return lines.filter(({ t_ms }) => t_ms <= untilMs).map(({ t_ms, event }) => ({ t: t_ms, ...event }));
}
