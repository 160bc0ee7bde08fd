/** The rules of the house that can be checked by reading: imports between rooms, length and head of files, exports. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import t from 'tap';

const root = resolve(import.meta.dirname, '../..');

/** What each room of src/ may import; the files beside the rooms wire them together. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cli: ['config', 'jobs', 'kubernetes', 'system', 'templates'],
  config: ['system'],
  launcher: ['jobs', 'system'],
  jobs: ['config', 'kubernetes', 'system', 'templates'],
  kubernetes: ['system'],
  system: [],
  templates: ['system'],
};
const WIRING = ['src/commands.ts', 'src/main.ts', 'src/plugin.ts'];

/** The packages that src/ may use; each is bundled into the executable. */
const PACKAGES = ['ini', 'jsonpointer', 'kubernetes-types', 'undici', 'ws'];

const LONGEST_FILE = 300;
/** `/**`, three lines and the end. */
const LONGEST_HEAD = 5;

interface Import {
  /** Path from the root, or the name of a package or of a part of Node.js. */
  readonly from: string;
  /** `*` if all of it may be used. */
  readonly names: readonly string[];
}

interface File {
  readonly path: string;
  readonly lines: readonly string[];
  readonly imports: readonly Import[];
  readonly exports: readonly string[];
}

const IMPORT =
  /(?:^|\n)(?:import|export)\s+(?:type\s+)?(?:(\*|[\w*]+|\{[^}]*\})[^'"\n{}]*\s+from\s+)?'([^']+)'|import\('([^']+)'\)/g;
const EXPORT =
  /(?:^|\n)export\s+(?:async\s+)?(?:const|let|function\*?|class|interface|type)\s+(\w+)|(?:^|\n)export\s+(?:type\s+)?\{([^}]*)\}/g;

const namesIn = (list: string): string[] =>
  list
    .replace(/[{}]/g, '')
    .split(',')
    .map((name) => name.trim().replace(/^type\s+/, ''))
    .filter((name) => name !== '');

function read(path: string): File {
  const text = readFileSync(join(root, path), 'utf8');
  const imports = [...text.matchAll(IMPORT)].map(([, what, written = '', loaded]) => {
    const from = loaded ?? written;
    const target = from.startsWith('.') ? relative(root, resolve(root, dirname(path), from)) : from;
    const names = what?.startsWith('{') ? namesIn(what).map((name) => name.replace(/\s+as\s+.*/, '')) : ['*'];
    return { from: target, names: loaded === undefined ? names : ['*'] };
  });
  const exports = [...text.matchAll(EXPORT)].flatMap(([, name, list]) =>
    list === undefined ? [name ?? ''] : namesIn(list).map((each) => each.replace(/.*\s+as\s+/, '')),
  );
  return { path, lines: text.trimEnd().split('\n'), imports, exports };
}

const files = ['src', 'build', 'test'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map((path) => read(join(folder, path))),
);
const roomOf = (path: string): string | undefined => /^src\/(\w+)\//.exec(path)?.[1];

t.test('there is something to check', async (t) => {
  t.ok(files.length > 300, `${files.length} files`);
  const main = files.find(({ path }) => path === 'src/main.ts');
  t.match(main?.imports, [{ from: 'node:fs', names: ['accessSync', 'constants'] }]);
  t.ok(
    main?.imports.some(({ from }) => from === 'src/plugin.ts'),
    'what is imported when it is needed counts',
  );
});

t.test('imports between the rooms of src/ go one way', async (t) => {
  const wrong = files.flatMap(({ path, imports }) => {
    const room = roomOf(path);
    if (room === undefined) return [];
    return imports
      .map(({ from }) => from)
      .filter((from) => from.startsWith('src/') && from !== path)
      .filter((from) => roomOf(from) !== room && !(MAY_IMPORT[room] ?? []).includes(roomOf(from) ?? ''))
      .map((from) => `${path} imports ${from}`);
  });
  t.same(wrong, []);
  t.same(
    files.map(({ path }) => path).filter((path) => path.startsWith('src/') && roomOf(path) === undefined),
    WIRING,
  );
});

t.test('src/ imports nothing of build/ and test/, and only the packages that are bundled', async (t) => {
  const wrong = files
    .filter(({ path }) => path.startsWith('src/'))
    .flatMap(({ path, imports }) =>
      imports
        .map(({ from }) => from)
        .filter((from) => !from.startsWith('src/') && !from.startsWith('node:') && from !== 'package.json')
        .filter((from) => !PACKAGES.includes(from.split('/')[0] ?? ''))
        .map((from) => `${path} imports ${from}`),
    );
  t.same(wrong, []);
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

t.test('nothing is exported that nobody imports', async (t) => {
  const used = new Set(
    files.flatMap(({ imports }) => imports.flatMap(({ from, names }) => names.map((n) => `${from} ${n}`))),
  );
  const unused = files.flatMap(({ path, exports }) =>
    exports.filter((name) => !used.has(`${path} ${name}`) && !used.has(`${path} *`)).map((name) => `${path}: ${name}`),
  );
  t.same(unused, []);
});
