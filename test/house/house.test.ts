/** The rules of the house that can be checked by reading: layout, imports, names, size and words of files. Each lists all that break it. */
import { basename, dirname } from 'node:path';
import t, { type Test } from 'tap';
import { mayImport, PACKAGES, placeOf, ROOMS, UNMIRRORED, WIRING } from './layout.ts';
import { foldersBelow, readDocuments, readSources, type SourceFile, sourceFile } from './sources.ts';
import { isSentence, unplainWords } from './words.ts';

/** Folders of test/ with programs and helpers that people read: their sentences are plain, too. */
const PROGRAMS = ['bench', 'console', 'everything', 'faults', 'launcher', 'long', 'mutants', 'runtimes', 'support'];

const LONGEST_FILE = 450;
const SHORTEST_FILE = 40;
/** `/**`, three lines and the end. */
const LONGEST_HEAD = 5;

const files = readSources(['src', 'build', 'test']);
const sources = files.filter(({ path }) => path.startsWith('src/'));
const documents = readDocuments();

/** Lists the violations of a rule; `HOUSE=src/cli node test/house/house.test.ts` lists those of one folder. */
function expectNone(t: Test, violations: readonly string[]): void {
  const folder = process.env['HOUSE'] ?? '';
  t.same(
    violations.filter((text) => text.startsWith(folder)),
    [],
  );
}

t.test('there is something to check', async (t) => {
  t.ok(files.length > 300, `${files.length} files`);
  const main = files.find(({ path }) => path === 'src/main.ts');
  t.match(main?.imports, [{ from: 'node:fs', names: ['existsSync'] }]);
  t.ok(
    main?.imports.some(({ from }) => from === 'src/start.ts'),
    'what is imported when it is needed counts',
  );
  t.ok(documents.length >= 5, `${documents.length} documents`);
});

t.test('comments, strings and titles of a source are found', async (t) => {
  const text = [
    '/** A head. */',
    "const a = 'one \\' two'; // after it",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source is the subject
    'const b = `three ${a ? `four ${1}` : { x: 5 }} six`;',
    'const c = a.split(/[\'"`]/g).length / 2 / 1;',
    't.test(`a title`, () => {});',
  ].join('\n');
  const { comments, strings, titles, code } = sourceFile('src/x.ts', text);
  t.same(comments, [
    { line: 1, text: ' A head. ' },
    { line: 2, text: ' after it' },
  ]);
  t.same(
    strings.map((prose) => prose.text),
    ["one \\' two", 'three ', 'four ', '', ' six', 'a title'],
  );
  t.same(titles, [{ line: 5, text: 'a title' }]);
  t.same(code.split('\n').slice(1, 4), [
    "const a = '          ';            ",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source is the subject
    'const b = `      ${a ? `     ${1}` : { x: 5 }}    `;',
    'const c = a.split(        ).length / 2 / 1;',
  ]);
});

t.test('words to avoid are found in prose, not in names', async (t) => {
  const text = 'The pod is gone.\nA watch told `whose` it is; status Gone means 410. The whole list, a whole number.';
  t.same(unplainWords({ line: 7, text }), [
    { line: 8, what: '"told" (write: reported, reports)' },
    { line: 7, what: '"gone" (write: deleted, missing)' },
    { line: 8, what: '"whole" (write: complete, entire)' },
  ]);
});

t.test('src/ has the rooms of the layout and no other folders', async (t) => {
  const rooms = Object.entries(ROOMS).flatMap(([name, { inside = {} }]) => [
    `src/${name}`,
    ...Object.keys(inside).map((folder) => `src/${name}/${folder}`),
  ]);
  const unknown = foldersBelow('src').filter((folder) => !rooms.includes(folder));
  t.same(unknown, []);
  t.same(
    sources.map(({ path }) => path).filter((path) => placeOf(path) === undefined),
    WIRING,
  );
});

t.test('the name of a test begins with the name of a file of its room in src/', async (t) => {
  const unmirrored = files.filter(({ path }) => {
    const [top, room = ''] = path.split('/');
    if (top !== 'test' || ROOMS[room] === undefined || !path.endsWith('.test.ts')) return false;
    const name = basename(path, '.test.ts');
    return !sources
      .filter((source) => placeOf(source.path)?.room === room)
      .some((source) => `${name}-`.startsWith(`${basename(source.path, '.ts')}-`));
  });
  t.strictSame(
    unmirrored.map(({ path }) => path),
    UNMIRRORED,
  );
});

t.test('imports in src/ follow the arrows between rooms and folders', async (t) => {
  const wrong = sources.flatMap(({ path, imports }) =>
    imports
      .filter(({ from }) => from.startsWith('src/') && !mayImport(path, from))
      .map(({ from }) => `${path} imports ${from}`),
  );
  expectNone(t, wrong);
});

t.test('src/ imports nothing of build/ and test/, and only the packages that are bundled', async (t) => {
  const wrong = sources.flatMap(({ path, imports }) =>
    imports
      .map(({ from }) => from)
      .filter((from) => !from.startsWith('src/') && !from.startsWith('node:') && from !== 'package.json')
      .filter((from) => !PACKAGES.includes(from.split('/')[0] ?? ''))
      .map((from) => `${path} imports ${from}`),
  );
  t.same(wrong, []);
});

t.test('no file of src/ imports itself, directly or through others', async (t) => {
  expectNone(t, circles(sources));
});

t.test('a circle of imports is found once', async (t) => {
  const file = (path: string, ...imports: string[]): SourceFile =>
    sourceFile(path, imports.map((from) => `import { x } from '${from}';`).join('\n'));
  t.same(circles([file('a.ts', './b.ts'), file('b.ts', './c.ts'), file('c.ts', './b.ts'), file('d.ts', './a.ts')]), [
    'b.ts -> c.ts -> b.ts',
  ]);
});

t.test('files and exported names of src/ are unique, but contract.ts', async (t) => {
  const byName = Map.groupBy(sources, ({ path }) => basename(path));
  const sameFile = [...byName]
    .filter(([name, same]) => same.length > 1 && name !== 'contract.ts')
    .map(([name, same]) => `${same.map(({ path }) => dirname(path)).join(', ')}: all have ${name}`);
  const exported = sources.flatMap(({ path, exports }) => exports.map((name) => ({ path, name })));
  const sameExport = [...Map.groupBy(exported, ({ name }) => name)]
    .filter(([, same]) => same.length > 1)
    .map(([name, same]) => `${same.map(({ path }) => path).join(', ')}: all export ${name}`);
  expectNone(t, [...sameFile, ...sameExport]);
});

t.test('a file is one idea: not long, and its head says which', async (t) => {
  t.same(
    files.filter(({ lines }) => lines.length > LONGEST_FILE).map(({ path, lines }) => `${path}: ${lines.length} lines`),
    [],
  );
  const headless = files.filter(({ lines }) => {
    const end = lines.findIndex((line) => line.endsWith('*/'));
    return lines[0]?.startsWith('/**') !== true || end >= LONGEST_HEAD;
  });
  t.same(
    headless.map(({ path }) => path),
    [],
  );
});

t.test('no small file of src/ has a single importer', async (t) => {
  const importers = Map.groupBy(
    sources.flatMap(({ path, imports }) =>
      [...new Set(imports.map(({ from }) => from))].map((from) => ({ path, from })),
    ),
    ({ from }) => from,
  );
  const tiny = sources
    .filter(({ path, lines }) => lines.length < SHORTEST_FILE && importers.get(path)?.length === 1)
    .map(({ path, lines }) => `${path}: ${lines.length} lines, only for ${importers.get(path)?.[0]?.path}`);
  expectNone(t, tiny);
});

t.test('nothing is exported that no other file imports', async (t) => {
  const used = new Set(
    files.flatMap(({ imports }) => imports.flatMap(({ from, names }) => names.map((n) => `${from} ${n}`))),
  );
  const unused = files.flatMap(({ path, exports }) =>
    exports.filter((name) => !used.has(`${path} ${name}`) && !used.has(`${path} *`)).map((name) => `${path}: ${name}`),
  );
  t.same(unused, []);
});

t.test('comments, sentences, test titles and documents use plain words', async (t) => {
  const prose = [
    ...sources.map(({ path, comments, strings }) => ({ path, prose: [...comments, ...strings.filter(isSentence)] })),
    ...files
      .filter(({ path }) => path.startsWith('test/') && !path.startsWith('test/house/'))
      .map(({ path, titles }) => ({ path, prose: titles })),
    ...files
      .filter(({ path }) => PROGRAMS.some((program) => path.startsWith(`test/${program}/`)))
      .map(({ path, comments, strings }) => ({ path, prose: [...comments, ...strings.filter(isSentence)] })),
    // The page that lists these words.
    ...documents.filter(({ path }) => path !== 'docs/language.md'),
  ];
  const words = prose.flatMap(({ path, prose }) =>
    prose.flatMap(unplainWords).map(({ line, what }) => `${path}:${line}: ${what}`),
  );
  expectNone(t, words);
});

/** Each set of files that import each other, as one way around. */
function circles(files: readonly SourceFile[]): readonly string[] {
  const imports = new Map(files.map((file) => [file.path, file.imports.map(({ from }) => from)]));
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, around: readonly string[]): void => {
    const first = around.indexOf(path);
    if (first >= 0) found.push([...around.slice(first), path].join(' -> '));
    if (first >= 0 || done.has(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...around, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}
