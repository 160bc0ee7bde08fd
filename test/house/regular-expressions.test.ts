/** Each regular expression of src takes linear time: it is run on strings of 64 KB that make other expressions backtrack. */
import { createContext, Script } from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import { readSources } from './sources.ts';

const LENGTH = 64 * 1024;
/**
 * CPU time of one expression on one string. A linear one takes about 1 ms; a quadratic one more than a second. Generous,
 * because what is measured includes compiling the expression and collecting garbage.
 */
const MOST_CPU_MS = 300;
/** What does not end by itself is interrupted after this. */
const TIMEOUT_MS = 2_000;

/** Repeated alone, and after the beginnings of texts that match. */
const UNITS = [
  ...['a', 'A', 'b', '0', ' ', '\t', '\n', '-', '_', '.', ',', ':', ';', '/', '\\', '"', "'", '`', '=', '+', '*', '%'],
  ...['{', '}', '[', ']', '(', ')', '<', '>', '|', '&', '$', '#', '@', '!', '?', '~', '^', '\u00e9', '\u0000'],
  ...['a ', 'a.', 'a-', 'a:', 'a/', 'a=', 'a,', 'a1', ' \t', '\r\n', '\\"', '\\\\', '""', '{"', '{{', '[[', '%s'],
];

/** A context of its own can interrupt an expression. */
const context = createContext({ expression: /x/, text: '' });
const run = new Script('text.replace(expression, "")');

/** Milliseconds of CPU that the expression takes on the text. */
function cost(expression: RegExp, text: string): number {
  Object.assign(context, { expression, text });
  const before = process.cpuUsage();
  try {
    run.runInContext(context, { timeout: TIMEOUT_MS });
  } catch {
    return TIMEOUT_MS;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Texts that begin as texts that match do; none where fast-check cannot read the expression. */
function samples({ source, flags }: RegExp): readonly string[] {
  const simple = source.replace(/\(\?<?[=!](?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)|\\b/g, '').replace(/^\^/, '');
  try {
    const matching = fc.stringMatching(new RegExp(`^(?:${simple})`, flags.replace(/[gydmi]/g, '')), { size: 'small' });
    return fc.sample(matching, { numRuns: 5, seed: 1 }).map((text) => text.slice(0, 30));
  } catch {
    return [];
  }
}

const fill = (unit: string): string => unit.repeat(Math.ceil(LENGTH / unit.length));

/** Strings of 64 KB: one unit again and again, at the beginning or after the beginning of a sample. */
function adversaries(expression: RegExp): ReadonlySet<string> {
  const beginnings = samples(expression).flatMap((sample) =>
    Array.from(sample, (_, at) => [
      [sample.slice(0, at + 1), sample.slice(at, at + 1)],
      [sample.slice(0, at + 1), sample.slice(at + 1, at + 2)],
      ['', sample.slice(0, at + 1)],
      [sample.slice(0, at + 1), ' '],
    ]),
  );
  const all = [...UNITS.map((unit) => ['', unit]), ...beginnings.flat()];
  return new Set(all.flatMap(([start = '', unit = '']) => (unit === '' ? [] : [`${start}${fill(unit)}\u0001`])));
}

function slowest(expression: RegExp): { ms: number; text: string } {
  let worst = { ms: 0, text: '' };
  for (const text of adversaries(expression)) {
    const ms = cost(expression, text);
    if (ms > worst.ms) worst = { ms, text };
    if (ms > MOST_CPU_MS) break;
  }
  return worst;
}

function compiled(literal: string): RegExp {
  const end = literal.lastIndexOf('/');
  return new RegExp(literal.slice(1, end), literal.slice(end + 1));
}

t.test('an expression with two unbounded neighbors is found', async (t) => {
  t.ok(slowest(/\benv: [A-Z][a-z]+ ?[a-z]*: /).ms > MOST_CPU_MS, 'two repetitions of one class');
  t.ok(slowest(/\bUser ".*" cannot \w+ /).ms > MOST_CPU_MS, 'any text between two marks');
  t.ok(slowest(/env: [A-Z][a-z]{1,30}: /).ms <= MOST_CPU_MS, 'a bounded repetition is not');
});

t.test('every regular expression of src is linear on 64 KB', async (t) => {
  const found = readSources(['src']).flatMap(({ path, expressions }) =>
    expressions.map(({ line, text }) => ({ place: `${path}:${line}`, literal: text })),
  );
  t.ok(found.length > 80, `${found.length} expressions`);
  const repeating = found.filter(({ literal }) => /[*+]|\{\d+,\}/.test(literal));
  for (const { place, literal } of repeating) {
    const { ms, text } = slowest(compiled(literal));
    if (ms > MOST_CPU_MS)
      t.fail(`${place}: ${literal} takes ${Math.round(ms)} ms on ${JSON.stringify(text.slice(0, 60))}...`);
  }
});
