/** The documentation is complete: a short README, links that lead somewhere, every page listed, log sentences quoted exactly. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import t from 'tap';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const sources = (folder: string): string =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => read(join(folder, path)))
    .join('\n');

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];

/** `#switch-back` for `## Switch back`, as GitHub makes it. */
const anchors = (text: string): readonly string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );

t.test('the README has at most 200 lines', async (t) => {
  t.ok(read('README.md').trimEnd().split('\n').length <= 200);
});

t.test('every relative link leads to a file and a heading in it', async (t) => {
  const broken = PAGES.flatMap((page) =>
    [
      ...read(page)
        .replace(/`[^`\n]*`/g, '')
        .matchAll(/\]\(([^)\s]+)\)/g),
    ].flatMap(([, link = '']) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(root, file))) return [`${page}: ${link}`];
      return anchor === undefined || anchors(read(file)).includes(anchor) ? [] : [`${page}: ${link}`];
    }),
  );
  t.same(broken, []);
});

t.test('docs/README.md lists every page', async (t) => {
  const contents = read('docs/README.md');
  const missing = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md').filter(
    (page) => !contents.includes(`](${page.slice('docs/'.length)})`),
  );
  t.same(missing, []);
});

t.test("the README's troubleshooting table quotes log sentences as the code writes them", async (t) => {
  const table = read('README.md').split('## When something does not work')[1]?.split('\n## ')[0] ?? '';
  const seen = table.split('\n').map((line) => line.split(' | ')[0] ?? '');
  const quoted = seen.flatMap((cell) =>
    [...cell.matchAll(/`([A-Z]+[a-z]* [^`]+)`/g)].map(([, sentence = '']) => sentence),
  );
  t.ok(quoted.length >= 9, `${quoted.length} sentences`);
  const code = sources('src');
  t.same(
    quoted.filter((sentence) => !code.includes(sentence)),
    [],
  );
});

t.test('docs/security.md names tests that exist', async (t) => {
  const named = [...read('docs/security.md').matchAll(/`(test\/[\w./-]+)` "([^"]+)"/g)];
  t.ok(named.length >= 25, `${named.length} tests`);
  const missing = named.flatMap(([, file = '', title = '']) =>
    existsSync(join(root, file)) && read(file).includes(title) ? [] : [`${file}: ${title}`],
  );
  t.same(missing, []);
});
