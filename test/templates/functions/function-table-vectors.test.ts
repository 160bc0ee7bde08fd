/** Template functions give what sprig and Helm give in real Go: a string or an error (fixtures/templates-vectors/functions/). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runAtOnce } from '../../../src/system/slices.ts';
import { TemplateError } from '../../../src/templates/contract.ts';
import { TEMPLATE_FUNCTIONS } from '../../../src/templates/functions/function-table.ts';
import { parseTemplates } from '../../../src/templates/language/set.ts';

interface Vector {
  readonly template: string;
  readonly output?: string;
  readonly error?: string;
}

const folder = join(import.meta.dirname, '../../../fixtures/templates-vectors/functions');

/** What the function said, or else the message without the place. */
const reasonOf = ({ message }: TemplateError): string =>
  message.includes('error calling ')
    ? message.replace(/^.*error calling \w+: /s, '')
    : message.replace(/^template: .*?>: /s, '');

function outcome({ template }: Vector): Pick<Vector, 'output' | 'error'> {
  try {
    const { set } = parseTemplates([{ name: 'main.tpl', text: template }], TEMPLATE_FUNCTIONS);
    return { output: runAtOnce(set.render('main.tpl', null, { now: 0, monotonic: () => 0 })).text };
  } catch (error) {
    if (error instanceof TemplateError) return { error: reasonOf(error) };
    throw error;
  }
}

const read = (file: string): readonly Vector[] => JSON.parse(readFileSync(join(folder, file), 'utf8'));
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

t.equal(files.length, 11, 'all files of vectors are found');

for (const file of files) {
  t.test(file, async (t) => {
    for (const vector of read(file)) {
      const { template, ...expected } = vector;
      t.equal(Object.keys(expected).length, 1, 'either an output or an error is expected');
      t.same(outcome(vector), expected, template);
    }
  });
}

t.test('every function has vectors, but those that give the current time', async (t) => {
  const templates = files.flatMap((file) => read(file).map(({ template }) => template));
  const names = [...TEMPLATE_FUNCTIONS.values()].flatMap((each) => ('call' in each ? [each.name] : []));
  const without = names.filter((name) => !templates.some((text) => new RegExp(`(?<!\\w)${name}(?!\\w)`).test(text)));
  t.same(without, ['now', 'ago']);
});
