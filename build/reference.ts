/**
 * Writes docs/reference.md from the tables that parse options and profiles. `--check` only compares, and fails where the
 * page differs from the tables.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { referenceMarkdown } from '../src/config/text/reference.ts';

const INTRODUCTION = `\
# Reference: options, profile keys, resource profile keys

This page is generated from the tables that parse the files: \`npm run reference\` writes it. How files are found and read, and
what happens when options contradict each other, is in [configuration.md](configuration.md).
`;

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const file = join(resolve(import.meta.dirname, '..'), 'docs/reference.md');
const expected = `${INTRODUCTION}\n${referenceMarkdown()}`;

if (!values.check) {
  writeFileSync(file, expected);
} else if (readFileSync(file, 'utf8') !== expected) {
  console.error('docs/reference.md differs from the tables of options and keys; run: npm run reference');
  process.exitCode = 1;
}
