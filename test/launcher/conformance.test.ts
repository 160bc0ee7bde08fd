/**
 * The conformance table: one row a rule of fixtures/conformance.json, its cell made from the names of tests that ran and
 * passed just now. A test says in its name, in brackets, which rules it shows.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

const HERE = import.meta.dirname;
/** Files beside this folder that show rules of the protocol. */
const ELSEWHERE = ['../jobs/job.test.ts', '../system/dates.test.ts'];
const RULES = resolve(HERE, '../../fixtures/conformance.json');

interface Rule {
  readonly id: string;
  readonly section: string;
  readonly rule: string;
}

/** Names of the top-level tests of a file that passed; runs it. */
async function passed(file: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(HERE, file)], { maxBuffer: 64 * 1024 * 1024 });
  return [...stdout.matchAll(/^ok \d+ - (.*?)(?: # time=.*)?$/gm)].map(
    ([, name = '']) => `${basename(file, '.test.ts')}: ${name}`,
  );
}

t.test('every rule is shown by a test that ran and passed', async (t) => {
  const rules = JSON.parse(readFileSync(RULES, 'utf8')) as Rule[];
  const files = readdirSync(HERE).filter(
    (name) => name.endsWith('.test.ts') && name !== basename(import.meta.filename),
  );
  const names = (await Promise.all([...files, ...ELSEWHERE].map(passed))).flat();
  const shown = (id: string): string[] => names.filter((name) => name.includes(`[${id}]`));
  const plain = (name: string): string => name.replaceAll(/\[[^\]]*\] ?/g, '');
  for (const { id, section, rule } of rules) {
    t.comment(`| ${id} | ${section} | ${rule} | ${shown(id).map(plain).join('; ')} |`);
  }
  t.strictSame(
    rules.filter(({ id }) => shown(id).length === 0).map(({ id }) => id),
    [],
    'no cell is empty',
  );
  const known = new Set(rules.map(({ id }) => id));
  const tags = names.flatMap((name) => [...name.matchAll(/\[([\w.-]+)\]/g)].map(([, id = '']) => id));
  t.strictSame(
    tags.filter((id) => !known.has(id)),
    [],
    'every rule that a test names is in the list',
  );
});
