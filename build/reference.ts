/**
 * Writes the generated parts of docs/: the reference of options and profile keys, and the state table. `--check` only compares,
 * and fails where a page differs from the tables in src/.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { referenceMarkdown } from '../src/config/options/reference.ts';
import { STATE_TABLE } from '../src/jobs/view/state.ts';

const INTRODUCTION = `\
# Reference: options, profile keys, resource profile keys

This page is generated from the tables that parse the files: \`npm run reference\` writes it. How files are found and read, and
what happens when options contradict each other, is in [configuration.md](configuration.md).
`;

const TABLE_BEGIN = '<!-- state table, generated from src/jobs/view/state.ts: npm run reference -->\n';
const TABLE_END = '<!-- end of the state table -->\n';

function stateTableMarkdown(): string {
  const rows = STATE_TABLE.map(
    ({ cause, seen, state, statusCode, details }) => `| ${cause} | ${seen} | ${state} | ${statusCode} | ${details} |`,
  );
  return `| cause | observed | state | statusCode | exit code, message |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

/** The page with its generated part replaced. */
function withStateTable(page: string): string {
  const from = page.indexOf(TABLE_BEGIN) + TABLE_BEGIN.length;
  const to = page.indexOf(TABLE_END);
  if (from < TABLE_BEGIN.length || to < from) throw new Error(`the page has no line ${TABLE_BEGIN}`);
  return `${page.slice(0, from)}${stateTableMarkdown()}${page.slice(to)}`;
}

const PAGES: Readonly<Record<string, (page: string) => string>> = {
  'docs/reference.md': () => `${INTRODUCTION}\n${referenceMarkdown()}`,
  'docs/kubernetes-objects.md': withStateTable,
};

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
for (const [path, generate] of Object.entries(PAGES)) {
  const file = join(resolve(import.meta.dirname, '..'), path);
  const page = readFileSync(file, 'utf8');
  const expected = generate(page);
  if (page === expected) continue;
  if (values.check) {
    console.error(`${path} differs from the tables in src/; run: npm run reference`);
    process.exitCode = 1;
  } else writeFileSync(file, expected);
}
