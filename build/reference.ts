/**
 * Writes the reference tables of the README from the tables that parse options and profiles. `--check` only compares and
 * fails where the README says something else.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { referenceMarkdown } from '../src/config/text/reference.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const file = join(resolve(import.meta.dirname, '..'), 'README.md');
const begin = '<!-- reference: made by npm run reference -->\n';
const end = '<!-- reference: end -->\n';

const text = readFileSync(file, 'utf8');
const from = text.indexOf(begin) + begin.length;
const to = text.indexOf(end);
if (from < begin.length || to < from) throw new Error(`${file} has no place for the reference: ${begin}`);
const wanted = `${text.slice(0, from)}\n${referenceMarkdown()}\n${text.slice(to)}`;

if (values.check && wanted !== text) {
  console.error('README.md: the reference tables are not those of the program; run: npm run reference');
  process.exitCode = 1;
} else if (wanted !== text) {
  writeFileSync(file, wanted);
}
