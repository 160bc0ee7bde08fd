/**
 * Reads the entries of one section by the table of its keys: the options, a section of the profiles file, a section of the
 * resource profiles file.
 */
import { nameOnly } from './ini.ts';
import type { ValueKind } from './kinds.ts';
import { type Origin, type Problem, problem } from './problem.ts';
import { didYouMean } from './suggest.ts';

/** A value and where it was written; no `origin`: the default. */
export interface Setting<T> {
  readonly value: T;
  readonly origin?: Origin;
}

/** How the value of one key is read. */
export interface SettingRow {
  readonly kind: ValueKind<unknown>;
  /** The value of a key that is written without a value. */
  readonly fallback?: unknown;
  /** Read from the value as written: its quotes belong to it. */
  readonly raw?: true;
  /** Errors never echo the value. */
  readonly secret?: true;
  /** The part of a value that errors may echo; default: all of it. */
  readonly echo?: (text: string) => string;
  /** A key without a value is an error. */
  readonly valueRequired?: true;
}

/** A key as it was written, in a file or on the command line. */
export interface SettingEntry extends Origin {
  readonly key: string;
  readonly value: string;
  readonly raw: string;
}

/** Collects what is wrong with a file. */
export interface Findings {
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/**
 * The settings of one section, by key. A value that cannot be used is a problem, an unknown key is one too: `is not
 * ${what}`, with a suggestion.
 */
export function readSettings<Key extends string>(
  table: Readonly<Record<Key, SettingRow>>,
  entries: Iterable<SettingEntry>,
  what: string,
  findings: Findings,
): ReadonlyMap<Key, Setting<unknown>> {
  const settings = new Map<Key, Setting<unknown>>();
  for (const entry of entries) {
    const { key, file, line } = entry;
    const origin = { file, line };
    if (!isKeyOf(table, key)) {
      findings.problems.push(unknownKey(entry, Object.keys(table), what));
      continue;
    }
    const row = table[key];
    const text = row.raw === true ? entry.raw : entry.value;
    if (text === '') {
      if (row.valueRequired !== true) settings.set(key, { value: row.fallback, origin });
      else findings.problems.push(problem(origin, key, `has no value: write ${row.kind.allowed}; or remove the line`));
      continue;
    }
    const parsed = row.kind.parse(text);
    const echo = row.secret === true ? '' : `"${row.echo?.(text) ?? text}" `;
    const isCommented = /\s;/.test(text);
    if (!parsed.ok)
      findings.problems.push(
        problem(
          origin,
          key,
          `${echo}must be ${parsed.reason}${isCommented ? ' (a comment after a value begins with #)' : ''}`,
        ),
      );
    else {
      settings.set(key, { value: parsed.value, origin });
      if (parsed.warning !== undefined) findings.warnings.push(problem(origin, key, parsed.warning));
    }
  }
  return settings;
}

/** The problem of a key that no table has: a suggestion, and never its value. */
export function unknownKey(at: Origin & { readonly key: string }, known: Iterable<string>, what: string): Problem {
  return problem(at, nameOnly(at.key), `is not ${what}${didYouMean(at.key, known)}`);
}

function isKeyOf<Key extends string>(table: Readonly<Record<Key, SettingRow>>, key: string): key is Key {
  return Object.hasOwn(table, key);
}
