/** Each regular expression of src takes linear time: it is run on strings of 64 KB that make other expressions backtrack. */
import { createContext, Script } from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import { readSources } from './sources.ts';

/** All strings are tried at this length first: an expression that is not linear takes milliseconds already. */
const SHORT = 8 * 1024;
const SUSPICIOUS_CPU_MS = 1;
/** What is suspicious is tried at this length. A linear expression takes eight times as long there, a quadratic one 64 times. */
const LONG = 64 * 1024;
const TIMES_AS_LONG = 24;
/** Less than this says nothing: what is measured includes compiling the expression and collecting garbage. */
const LEAST_CPU_MS = 25;
/** A linear expression takes about 1 ms at any of these lengths. */
const MOST_CPU_MS = 300;
/** What is between the two is measured again: V8's other threads count too, and on a busy machine a linear one has taken 32 ms. */
const MORE_ATTEMPTS = 3;
/** Strings that do not end by themselves are interrupted after this. */
const TIMEOUT_MS = 20_000;

/** Repeated alone, and after the beginnings of texts that match. */
const UNITS = [
  ...['a', 'A', 'b', '0', ' ', '\t', '\n', '-', '_', '.', ',', ':', ';', '/', '\\', '"', "'", '`', '=', '+', '*', '%'],
  ...['{', '}', '[', ']', '(', ')', '<', '>', '|', '&', '$', '#', '@', '!', '?', '~', '^', '\u00e9', '\u0000'],
  ...['a ', 'a.', 'a-', 'a:', 'a/', 'a=', 'a,', 'a1', ' \t', '\r\n', '\\"', '\\\\', '""', '{"', '{{', '[[', '%s'],
];

/** Milliseconds of CPU that this process has used. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** A context of its own can interrupt an expression; many texts are tried in one run, because each run costs a thread. */
const context = createContext({ expression: /x/, texts: [''], costs: [0], enough: 0, cpuMs });
const run = new Script(`{
  let before = cpuMs();
  for (const text of texts) {
    text.replace(expression, '');
    const after = cpuMs();
    costs.push(after - before);
    if (after - before > enough) break;
    before = after;
  }
}`);

/** Milliseconds of CPU that the expression takes on each text, up to the first one that takes more than `enough`. */
function costsOf(expression: RegExp, texts: readonly string[], enough: number): readonly number[] {
  const costs: number[] = [];
  const before = cpuMs();
  Object.assign(context, { expression, texts, costs, enough });
  try {
    run.runInContext(context, { timeout: TIMEOUT_MS });
  } catch (error) {
    // An error of another context is no Error of this one.
    if (!String(error).includes('timed out')) throw error;
    // On a busy host a text may be interrupted that has hardly begun.
    costs.push(costs.reduce((rest, cost) => rest - cost, cpuMs() - before));
  }
  return costs;
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

/** What is repeated, and after what. */
type Adversary = readonly [start: string, unit: string];

const textOf = ([start, unit]: Adversary, length: number): string =>
  `${start}${unit.repeat(Math.ceil(length / unit.length))}\u0001`;

/** One unit again and again, at the beginning or after the beginning of a sample. */
function adversaries(expression: RegExp): readonly Adversary[] {
  const beginnings = samples(expression).flatMap((sample) =>
    Array.from(sample, (_, at): readonly Adversary[] => [
      [sample.slice(0, at + 1), sample.slice(at, at + 1)],
      [sample.slice(0, at + 1), sample.slice(at + 1, at + 2)],
      ['', sample.slice(0, at + 1)],
      [sample.slice(0, at + 1), ' '],
    ]),
  );
  const all = [...UNITS.map((unit): Adversary => ['', unit]), ...beginnings.flat()];
  const different = new Map(all.map((one) => [JSON.stringify(one), one]));
  return [...different.values()].filter(([, unit]) => unit !== '');
}

/** The first long string on which the expression takes too long. */
function slow(expression: RegExp): { readonly ms: number; readonly text: string } | undefined {
  const all = adversaries(expression);
  const texts = all.map((one) => textOf(one, SHORT));
  const costOf = (text: string): number => costsOf(expression, [text], 0)[0] ?? 0;
  const leastCostOf = (text: string): number => {
    let least = costOf(text);
    for (let more = MORE_ATTEMPTS; more > 0 && least > LEAST_CPU_MS && least <= MOST_CPU_MS; more--)
      least = Math.min(least, costOf(text));
    return least;
  };
  for (let done = 0; done < texts.length; ) {
    const costs = costsOf(expression, texts.slice(done), SUSPICIOUS_CPU_MS);
    done += costs.length;
    const [before = 0, suspect] = [costs.at(-1), all[done - 1]];
    if (suspect === undefined || before <= SUSPICIOUS_CPU_MS) continue;
    const text = textOf(suspect, LONG);
    const ms = leastCostOf(text);
    const isSteep = ms > LEAST_CPU_MS && ms > TIMES_AS_LONG * Math.min(before, costOf(textOf(suspect, SHORT)));
    if (isSteep || ms > MOST_CPU_MS) return { ms, text };
  }
  return undefined;
}

function compiled(literal: string): RegExp {
  const end = literal.lastIndexOf('/');
  return new RegExp(literal.slice(1, end), literal.slice(end + 1));
}

t.test('an expression with two unbounded neighbors is found', async (t) => {
  t.ok(slow(/\benv: [A-Z][a-z]+ ?[a-z]*: /), 'two repetitions of one class');
  t.ok(slow(/\bUser ".*" cannot \w+ /), 'any text between two marks');
  t.equal(slow(/env: [A-Z][a-z]{1,30}: /), undefined, 'a bounded repetition is not');
});

t.test('every regular expression of src is linear on 64 KB', async (t) => {
  const found = readSources(['src']).flatMap(({ path, expressions }) =>
    expressions.map(({ line, text }) => ({ place: `${path}:${line}`, literal: text })),
  );
  t.ok(found.length > 80, `${found.length} expressions`);
  const repeating = found.filter(({ literal }) => /[*+]|\{\d+,\}/.test(literal));
  for (const { place, literal } of repeating) {
    const { ms, text = '' } = slow(compiled(literal)) ?? {};
    if (ms !== undefined)
      t.fail(`${place}: ${literal} takes ${Math.round(ms)} ms on ${JSON.stringify(text.slice(0, 60))}...`);
  }
});
