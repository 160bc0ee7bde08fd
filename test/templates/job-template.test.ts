/** A job template as sites write them: rendered and read, it is the object that Go makes of it (fixtures/templates-vectors/job/). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runAtOnce } from '../../src/system/slices.ts';
import { TEMPLATE_FUNCTIONS } from '../../src/templates/functions/function-table.ts';
import { readTemplateData } from '../../src/templates/language/data.ts';
import { parseTemplates } from '../../src/templates/language/set.ts';
import { readYaml, STRICT, type YamlNode } from '../../src/templates/yaml/yaml-reader.ts';

const read = (file: string): string =>
  readFileSync(join(import.meta.dirname, '../../fixtures/templates-vectors/job', file), 'utf8');

function plain(node: YamlNode): unknown {
  if (node.kind === 'list') return node.items.map(plain);
  if (node.kind === 'scalar') return typeof node.value === 'bigint' ? Number(node.value) : node.value;
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plain(value)]));
}

const sources = ['job.tpl', 'lib.tpl'].map((name) => ({ name, text: read(name) }));
const { set } = parseTemplates(sources, TEMPLATE_FUNCTIONS);
const rendered = runAtOnce(set.render('job.tpl', readTemplateData(read('data.json')), { now: 0, monotonic: () => 0 }));
const document = runAtOnce(readYaml(rendered.text, STRICT));

t.test('the object is that of Go', async (t) => {
  t.ok(document);
  if (document !== undefined) t.same(plain(document), JSON.parse(read('job.json')));
});

t.test('a place in the document leads to the line of the template that wrote it', async (t) => {
  const spec = document?.kind === 'map' ? document.entries.get('spec') : undefined;
  t.ok(spec);
  t.match(rendered.placeAt(spec?.offset ?? 0), { template: 'job.tpl', line: 16 });
});
