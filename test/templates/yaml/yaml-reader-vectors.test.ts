/** YAML documents are read as go-yaml v2 reads them, which is what Kubernetes uses (fixtures/templates-vectors/yaml/). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runAtOnce } from '../../../src/system/slices.ts';
import { YamlError } from '../../../src/templates/yaml/yaml-cursor.ts';
import { readYaml, STRICT, type YamlNode } from '../../../src/templates/yaml/yaml-reader.ts';

interface Vector {
  readonly yaml: string;
  readonly json?: string;
  readonly error?: string;
}

const folder = join(import.meta.dirname, '../../../fixtures/templates-vectors/yaml');
const read = (file: string): readonly Vector[] => JSON.parse(readFileSync(join(folder, file), 'utf8'));

function plain(node: YamlNode | undefined): unknown {
  switch (node?.kind) {
    case undefined:
      return null;
    case 'list':
      return node.items.map(plain);
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plain(value)]));
    case 'scalar':
      return typeof node.value === 'bigint' ? Number(node.value) : node.value;
  }
}

function failure(yaml: string): YamlError {
  try {
    runAtOnce(readYaml(yaml, STRICT));
  } catch (error) {
    if (error instanceof YamlError) return error;
    throw error;
  }
  throw new Error(`no error: ${yaml}`);
}

/** Errors of the content, for which this reader has words of its own. */
const OF_CONTENT = /second document|anchor|already set|map key|json:|cannot decode/;

for (const file of ['scalars.json', 'structure.json', 'errors.json']) {
  t.test(file, async (t) => {
    for (const { yaml, json, error } of read(file)) {
      if (json !== undefined) t.same(plain(runAtOnce(readYaml(yaml, STRICT))), JSON.parse(json), JSON.stringify(yaml));
      else if (OF_CONTENT.test(error ?? '')) t.ok(failure(yaml), JSON.stringify(yaml));
      else t.equal(`yaml: ${failure(yaml).goMessage}`, error, JSON.stringify(yaml));
    }
  });
}
