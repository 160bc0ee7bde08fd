/**
 * The conformance table: one row a rule of fixtures/conformance.json, its cell made from the titles of the tests that show
 * it. A title says in brackets which rules. None of these tests may be skipped: all pass, or the suite is red.
 */
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import t from 'tap';
import { readSources } from '../house/sources.ts';
import { readConversations } from './conversation.ts';

/** Files beside this folder that show rules of the protocol. */
const ELSEWHERE = ['test/jobs/job.test.ts', 'test/system/dates.test.ts'];
const RULES = resolve(import.meta.dirname, '../../fixtures/conformance.json');

interface Rule {
  readonly id: string;
  readonly section: string;
  readonly rule: string;
}

const files = readSources(['test']).filter(
  ({ path }) => (path.startsWith('test/launcher/') && path.endsWith('.test.ts')) || ELSEWHERE.includes(path),
);
/** The titles in conversation-recordings.test.ts come from its fixtures. */
const conversations = readConversations().map(({ api, about }) => `conversations: [conversation-${api}] ${about}`);
const titles = [
  ...files.flatMap(({ path, strings }) =>
    strings
      .filter(({ text }) => /^\[[\w.-]+\] /.test(text))
      .map(({ text }) => `${basename(path, '.test.ts')}: ${text}`),
  ),
  ...conversations,
];

t.test('every rule is shown by a test', async (t) => {
  const rules = JSON.parse(readFileSync(RULES, 'utf8')) as Rule[];
  const shown = (id: string): string[] => titles.filter((title) => title.includes(`[${id}]`));
  const plain = (title: string): string => title.replaceAll(/\[[^\]]*\] ?/g, '');
  for (const { id, section, rule } of rules) {
    t.comment(`| ${id} | ${section} | ${rule} | ${shown(id).map(plain).join('; ')} |`);
  }
  t.strictSame(
    rules.filter(({ id }) => shown(id).length === 0).map(({ id }) => id),
    [],
    'no cell is empty',
  );
  const known = new Set(rules.map(({ id }) => id));
  const tags = titles.flatMap((title) => [...title.matchAll(/\[([\w.-]+)\]/g)].map(([, id = '']) => id));
  t.strictSame(
    tags.filter((id) => !known.has(id)),
    [],
    'every rule that a title names is in the list',
  );
});

t.test('no test that shows a rule is skipped', async (t) => {
  t.strictSame(
    files.filter(({ code }) => /\b(?:skip|todo)\b/.test(code)).map(({ path }) => path),
    [],
  );
});
