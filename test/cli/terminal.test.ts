/** Arguments are parsed or refused in one sentence; output fits the terminal and cannot control it; YAML reads back equal. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { parse } from 'yaml';
import { parseArguments, UsageError } from '../../src/cli/arguments.ts';
import { cleanJson, paint, stackedTable, table, terminalSettings } from '../../src/cli/terminal.ts';
import { fold, shorten } from '../../src/cli/text-columns.ts';
import { toYaml } from '../../src/cli/yaml.ts';

const terminal = { isTerminal: true, columns: 132 };

t.test('COLUMNS overrides the width of the terminal, at least 40', async (t) => {
  t.strictSame(terminalSettings({}, terminal), { columns: 132, color: true });
  t.strictSame(terminalSettings({ COLUMNS: '90' }, terminal), { columns: 90, color: true });
  t.strictSame(terminalSettings({ COLUMNS: '7' }, terminal), { columns: 40, color: true });
});

t.test('NO_COLOR and TERM=dumb turn colors off', async (t) => {
  t.strictSame(terminalSettings({ COLUMNS: 'wide', NO_COLOR: '1' }, terminal), { columns: 132, color: false });
  t.strictSame(terminalSettings({ NO_COLOR: '' }, terminal), { columns: 132, color: true });
  t.strictSame(terminalSettings({ TERM: 'dumb' }, { isTerminal: true, columns: undefined }), {
    columns: 80,
    color: false,
  });
});

t.test('a pipe has no width and no colors', async (t) => {
  t.strictSame(terminalSettings({}, { isTerminal: false, columns: undefined }), { columns: undefined, color: false });
});

const rows = [
  ['ID', 'REASON'],
  ['a', 'one two three four five six'],
  ['long-id', '\u001b[2Jgone\u202e'],
];

t.test('a table escapes its cells', async (t) => {
  t.equal(
    table(rows, { columns: undefined, color: false }),
    'ID       REASON\na        one two three four five six\nlong-id  \\u001b[2Jgone\\u202e\n',
  );
});

t.test('JSON cannot control a terminal, and its values are the same', async (t) => {
  const value = { name: '\u001b[2J\u009b31m\u202egone\u007f', lines: ['a\nb'] };
  const text = cleanJson(value, 2);
  t.equal(text, '{\n  "name": "\\u001b[2J\\u009b31m\\u202egone\\u007f",\n  "lines": [\n    "a\\nb"\n  ]\n}');
  t.strictSame(JSON.parse(text), value);
});

t.test('a cell of 100,000 characters does not widen a table', async (t) => {
  const long = [
    ['ID', 'TAGS', 'REASON'],
    ['a', 'x'.repeat(100_000), 'long'],
    ['b', '-', 'short'],
  ];
  const expected = `ID  TAGS${' '.repeat(252)}  REASON\na   ${'x'.repeat(255)}\u2026  long\nb   -${' '.repeat(255)}  short\n`;
  t.equal(table(long, { columns: undefined, color: false }), expected);
  t.equal(stackedTable(long, { columns: undefined, color: false }, { least: 40 }), expected);
});

t.test('a table folds its last column', async (t) => {
  t.equal(
    table(rows, { columns: 30, color: false }),
    'ID       REASON\na        one two three four\n         five six\nlong-id  \\u001b[2Jgone\\u202e\n',
  );
});

t.test('a table folds another column', async (t) => {
  t.equal(
    table(
      [
        ['K', 'VALUE', 'FROM'],
        ['k', 'aaaaaaaaaa bbbbbbbbbb cc', 'file:1'],
      ],
      { columns: 32, color: false },
      { flowing: 1 },
    ),
    'K  VALUE                  FROM\nk  aaaaaaaaaa bbbbbbbbbb  file:1\n   cc\n',
  );
});

t.test('a table without rows is stacked by the width of its head', async (t) => {
  t.equal(stackedTable([['ID', 'STATE', 'REASON']], { columns: 40, color: false }, { least: 40 }), 'ID  STATE\n');
});

t.test('cells that do not fit are below the first one', async (t) => {
  t.equal(
    stackedTable(
      [
        ['ID', 'STATE', 'USER', 'REASON'],
        ['a-long-id-of-a-job', 'Running', 'jane', 'why'],
      ],
      { columns: 24, color: false },
      { least: 40 },
    ),
    'ID\n  STATE  USER\na-long-id-of-a-job\n  Running  jane\n  why\n',
  );
});

t.test('colors', async (t) => {
  t.equal(table([['A']], { columns: undefined, color: true }), '\u001b[1mA\u001b[0m\n');
  t.equal(paint({ color: false }, 'red', 'x'), 'x');
});

t.test('wide characters take two columns, and combining marks none', async (t) => {
  t.strictSame(fold('日本語 テスト ok', 6), ['日本語', 'テスト', 'ok']);
  t.strictSame(fold('日本語テスト', 5), ['日本', '語テ', 'スト']);
  t.equal(shorten('日本語テスト', 6), '日本…');
  t.equal(shorten('e\u0301e\u0301e\u0301', 3), 'e\u0301e\u0301e\u0301');
  t.equal(
    table(
      [
        ['NAME', 'REASON'],
        ['日本', 'x'],
        ['abcd', 'y'],
      ],
      { columns: undefined, color: false },
    ),
    'NAME  REASON\n日本  x\nabcd  y\n',
  );
});

t.test('a word of megabytes is folded in a moment', async (t) => {
  t.equal(fold('é'.repeat(2_000_000), 60).length, 33_334);
});

t.test('folded text keeps leading spaces', async (t) => {
  t.strictSame(fold('  a bb ccc', 6), ['  a bb', 'ccc']);
});

const grammar = {
  name: 'show',
  words: ['ID', '[MORE]'],
  flags: [
    { name: 'json', doc: '' },
    { name: 'output', short: 'o', value: 'FORMAT', doc: '' },
  ],
};

t.test('flags, words and plugin options are separated', async (t) => {
  const { flags, words, options } = parseArguments(grammar, [
    '--json',
    'x',
    '-o',
    'yaml',
    '--plugin-name',
    'gpu',
    '--log-level=0',
    '--',
    '-',
  ]);
  t.strictSame(
    [[...flags], words, options],
    [
      [
        ['json', ''],
        ['output', 'yaml'],
      ],
      ['x', '-'],
      ['--plugin-name=gpu', '--log-level=0'],
    ],
  );
});

t.test('a wrong command line is refused in one sentence', async (t) => {
  const wrong = (argv: readonly string[], message: string) =>
    t.throws(() => parseArguments(grammar, argv), new UsageError(`show: ${message}; see show --help`));
  wrong([], 'ID is missing');
  wrong(['a', 'b', 'c\u001b[2J'], 'unexpected argument "c\\u001b[2J"');
  wrong(['a', 'b', 'auth-token=hunter2'], 'unexpected argument "auth-token=..."');
  wrong(['a', '--jsom'], 'unknown option --jsom (did you mean "json"?)');
  wrong(['a', '--json=1'], '--json takes no value');
  wrong(['a', '--output'], '--output needs a value');
  wrong(['a', '--output', '--json'], '--output needs a value');
  wrong(['a', '--plugin-name'], '--plugin-name needs a value');
  wrong(['a', '-o', 'x', '--output=y'], '--output is given twice');
  wrong(['a', '--log-level=0', '--log-level=1'], '--log-level is given twice');
});

t.test('YAML quotes what a reader could misread', async (t) => {
  t.equal(
    toYaml({
      kind: 'Role',
      empty: {},
      none: [],
      skipped: undefined,
      texts: ['true', 'no', '1', '1.5', '', ' x', 'a b', 'a: b', '- a', '#', '~', '2026-01-01', 'null', 'plain/path.x'],
      rules: [{ verbs: ['get'], nested: [['a'], [{ b: null }]] }],
      script: 'if true; then\n\techo "$x"\nfi\n',
      control: '\u001b[2J\u0085\u202e',
      'a key': true,
      number: -1.5,
    }),
    `kind: Role
empty: {}
none: []
texts:
- "true"
- "no"
- "1"
- "1.5"
- ""
- " x"
- "a b"
- "a: b"
- "- a"
- "#"
- "~"
- "2026-01-01"
- "null"
- plain/path.x
rules:
- verbs: [get]
  nested:
  - [a]
  - - b: null
script: "if true; then\\n\\techo \\"$x\\"\\nfi\\n"
control: "\\u001b[2J\\u0085\\u202e"
"a key": true
number: -1.5
`,
  );
});

t.test('YAML of a value that JSON does not have', async (t) => {
  t.throws(() => toYaml({ size: 1n }), new TypeError('YAML has no representation for bigint'));
});

t.test('another YAML reader reads the same', async (t) => {
  const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
  const readBack = fc.property(value, fc.constantFrom('1.1' as const, '1.2' as const), (json, version) => {
    const plain = JSON.parse(JSON.stringify(json));
    return isDeepStrictEqual(parse(toYaml(plain), { version }), plain);
  });
  t.equal(fc.check(readBack, { numRuns: 1000 }).counterexample, null);
});
