/**
 * What is typed is taken as it is written or refused in one sentence; what is printed fits the terminal, which obeys
 * nothing of it, and reads back the same.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { parse } from 'yaml';
import { parseArguments, UsageError } from '../../src/cli/arguments.ts';
import { fold, paint, table, terminalSettings } from '../../src/cli/terminal.ts';
import { toYaml } from '../../src/cli/yaml.ts';

t.test('width and colours as terminals expect', async (t) => {
  const terminal = { isTerminal: true, columns: 132 };
  t.strictSame(terminalSettings({}, terminal), { columns: 132, color: true });
  t.strictSame(terminalSettings({ COLUMNS: '90' }, terminal), { columns: 90, color: true });
  t.strictSame(terminalSettings({ COLUMNS: '7' }, terminal), { columns: 40, color: true });
  t.strictSame(terminalSettings({ COLUMNS: 'wide', NO_COLOR: '1' }, terminal), { columns: 132, color: false });
  t.strictSame(terminalSettings({ NO_COLOR: '' }, terminal), { columns: 132, color: true });
  t.strictSame(terminalSettings({ TERM: 'dumb' }, { isTerminal: true, columns: undefined }), {
    columns: 80,
    color: false,
  });
  t.strictSame(terminalSettings({}, { isTerminal: false, columns: undefined }), { columns: undefined, color: false });
});

t.test('tables', async (t) => {
  const rows = [
    ['ID', 'REASON'],
    ['a', 'one two three four five six'],
    ['long-id', '\u001b[2Jgone\u202e'],
  ];
  t.equal(
    table(rows, { columns: undefined, color: false }),
    'ID       REASON\na        one two three four five six\nlong-id  \\u001b[2Jgone\\u202e\n',
  );
  t.equal(
    table(rows, { columns: 30, color: false }),
    'ID       REASON\na        one two three four\n         five six\nlong-id  \\u001b[2Jgone\\u202e\n',
  );
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
  t.equal(table([['A']], { columns: undefined, color: true }), '\u001b[1mA\u001b[0m\n');
  t.equal(paint({ color: false }, 'red', 'x'), 'x');
  t.strictSame(fold('  a bb ccc', 6), ['  a bb', 'ccc']);
});

t.test('arguments', async (t) => {
  const grammar = {
    name: 'show',
    words: ['ID', '[MORE]'],
    flags: [
      { name: 'json', doc: '' },
      { name: 'output', short: 'o', value: 'FORMAT', doc: '' },
    ],
  };
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

t.test('YAML', async (t) => {
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
  t.throws(() => toYaml({ size: 1n }), new TypeError('YAML has no representation for bigint'));
  const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
  const readBack = fc.property(value, fc.constantFrom('1.1' as const, '1.2' as const), (json, version) => {
    const plain = JSON.parse(JSON.stringify(json));
    return isDeepStrictEqual(parse(toYaml(plain), { version }), plain);
  });
  t.equal(fc.check(readBack, { numRuns: 1000 }).counterexample, null, 'another reader reads the same');
});
