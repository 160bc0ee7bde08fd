/** Templates give what real Go gives: text, or an error of the same kind at the same place (fixtures/templates-vectors/). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runAtOnce } from '../../../src/system/slices.ts';
import { TemplateError } from '../../../src/templates/contract.ts';
import { readTemplateData } from '../../../src/templates/language/data.ts';
import { parseTemplates } from '../../../src/templates/language/set.ts';
import { testFunctions } from './test-functions.ts';

interface Vector {
  readonly name: string;
  readonly template?: string;
  readonly templates?: Readonly<Record<string, string>>;
  readonly output?: string;
  readonly error?: {
    readonly kind: string;
    readonly template: string;
    readonly line: number;
    readonly column?: number;
  };
}

const folder = join(import.meta.dirname, '../../../fixtures/templates-vectors');

/** The data of a vector as it is written, at the end of its line: JSON.parse alone makes no difference between 1 and 1.0. */
const dataOf = (line: string): string | undefined => /,"data":(.*)\},?$/.exec(line)?.[1];

function outcome(vector: Vector, data: string | undefined): Pick<Vector, 'output' | 'error'> {
  const files = vector.templates ?? { 'main.tpl': vector.template ?? '' };
  try {
    const { set } = parseTemplates(
      Object.entries(files).map(([name, text]) => ({ name, text })),
      testFunctions,
    );
    const value = data === undefined ? null : readTemplateData(data);
    return { output: runAtOnce(set.render('main.tpl', value, { now: 0, monotonic: () => 0 })).text };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const { column, ...place } = error.place;
    return { error: { kind: error.kind, ...place, ...(column === undefined ? {} : { column }) } };
  }
}

const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
t.equal(files.length, 11, 'all files of vectors are found');

for (const file of files) {
  t.test(file, async (t) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const vectors: readonly Vector[] = JSON.parse(text);
    const lines = text.split('\n').slice(1);
    t.ok(vectors.length >= 40, `${vectors.length} vectors`);
    for (const [i, vector] of vectors.entries()) {
      const { output, error } = vector;
      t.ok(output !== undefined || error !== undefined, `${vector.name}: something is expected`);
      const expected = output === undefined ? { error } : { output };
      t.same(outcome(vector, dataOf(lines[i] ?? '')), expected, vector.name);
    }
  });
}
