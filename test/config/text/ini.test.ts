/** Configuration files are parsed with the order and characters of their lines; each problem has its line. */
import fc from 'fast-check';
import ini from 'ini';
import t from 'tap';
import { parseIni } from '../../../src/config/text/ini.ts';
import { describe } from '../../../src/config/text/problem.ts';

t.test('lines, comments, whitespace, quotes', async (t) => {
  const { head, problems } = parseIni(
    'f',
    [
      '# comment',
      '  ; comment',
      '',
      'plain=value',
      '\t spaced \t = a  b \t',
      'comment=value # gone',
      'hash=a#b',
      'semicolon=a ; b',
      'equals=a=b==',
      'quoted="a # b"',
      'inside=x "a # b" # gone',
      'stray=5" # gone',
      'empty=',
      'nothing=""',
      'json="a\\"b"',
      'domain="DOMAIN\\user"',
      "'single'='kept'",
      'overrides="/a":"/b","/c":"/d" # gone',
      '"name # quoted"=x',
    ].join('\r\n'),
  );
  t.same(problems, []);
  t.same(
    head.map(({ key, value, line }) => [line, key, value]),
    [
      [4, 'plain', 'value'],
      [5, 'spaced', 'a  b'],
      [6, 'comment', 'value'],
      [7, 'hash', 'a#b'],
      [8, 'semicolon', 'a ; b'],
      [9, 'equals', 'a=b=='],
      [10, 'quoted', 'a # b'],
      [11, 'inside', 'x "a # b"'],
      [12, 'stray', '5"'],
      [13, 'empty', ''],
      [14, 'nothing', ''],
      [15, 'json', 'a"b'],
      [16, 'domain', 'DOMAIN\\user'],
      [17, "'single'", "'kept'"],
      [18, 'overrides', '"/a":"/b","/c":"/d"'],
      [19, '"name # quoted"', 'x'],
    ],
  );
});

t.test('sections keep their order and their names', async (t) => {
  const { sections, problems } = parseIni(
    'f',
    '[b]\nk=1\n[1001]\nk=2\n[a.b]\n[ spaced out ]\n[DOMAIN\\user] # note\n[__proto__]\n__proto__=3\n[@g@d.example]\n[*]\n',
  );
  t.same(problems, []);
  t.same(
    sections.map(({ name, line, entries }) => [name, line, entries.map(({ key, value }) => `${key}=${value}`)]),
    [
      ['b', 1, ['k=1']],
      ['1001', 3, ['k=2']],
      ['a.b', 5, []],
      ['spaced out', 6, []],
      ['DOMAIN\\user', 7, []],
      ['__proto__', 8, ['__proto__=3']],
      ['@g@d.example', 10, []],
      ['*', 11, []],
    ],
  );
});

t.test('every problem is reported, with its line, never the content', async (t) => {
  const { problems, sections } = parseIni(
    '/etc/f',
    'no equals\n=x\n[]\n[a]\nk=1\nk=2\n[a]\nk=3\n[*] ; note\nlost=1\nbell=\u0007\nbell="\\u0007"\n__proto__\n',
  );
  t.same(problems.map(describe), [
    '/etc/f:1: must be name=value, a [section], or a comment that begins with # or ;',
    '/etc/f:2: must be name=value, a [section], or a comment that begins with # or ;',
    '/etc/f:3: [] has no name: write the name of the section between [ and ]',
    '/etc/f:6: k: is already set on line 5',
    '/etc/f:7: section [a] is already on line 4',
    '/etc/f:9: the section does not end with ]: write [name]; only a # comment may follow it',
    '/etc/f:11: contains a control character',
    '/etc/f:12: bell: the value contains a control character',
    '/etc/f:13: must be name=value, a [section], or a comment that begins with # or ;',
  ]);
  t.notOk(
    sections.some(({ entries }) => entries.some(({ key }) => key === 'lost')),
    'keys after a broken section line do not land in the section before it',
  );
});

t.test('reads what the ini package writes', async (t) => {
  const values = {
    plain: 'value',
    url: 'https://h:6443',
    blank: 'a b',
    quoted: ' edge ',
    equals: '=x',
    json: '{"a":1}',
  };
  const { head, problems } = parseIni('f', ini.stringify(values));
  t.same(problems, []);
  const read = Object.fromEntries(head.map(({ key, value }) => [key, value]));
  t.same(read, values);
});

t.test('reads any safe text as the ini package writes it', async (t) => {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCXYZ0123456789';
  const name = fc.string({ unit: fc.constantFrom(...letters, '-', '_'), minLength: 1, maxLength: 12 });
  const value = fc.string({ unit: fc.constantFrom(...letters, ' ', '=', '/', ':', ',', '{', '}', '"', "'", '[') });
  fc.assert(
    fc.property(fc.dictionary(name, value, { noNullPrototype: true }), (values) => {
      const { head, problems } = parseIni('f', ini.stringify(values));
      t.strictSame(problems, []);
      const read = Object.fromEntries(head.map(({ key, value: text }) => [key, text]));
      return Object.keys(values).every((key) => read[key] === values[key]);
    }),
  );
});

t.test('never throws, whatever the text', async (t) => {
  const mark = fc.constantFrom('[', ']', '=', '#', ';', '"', '\\', ' ', '\t', '\n', '\r', 'a', '@', '*', '\u0000');
  fc.assert(
    fc.property(fc.string({ unit: mark, maxLength: 60 }), (text) => {
      const { head, sections, problems } = parseIni('f', text);
      const lines = text.split('\n').length;
      const places = [...head, ...sections, ...sections.flatMap(({ entries }) => entries), ...problems];
      return places.every(({ line }) => line >= 1 && line <= lines);
    }),
  );
  t.pass();
});

/** Each of these took minutes when whitespace and quotes were searched for again and again. */
for (const [what, line] of [
  ['whitespace inside a value', `max-cpus=1${' '.repeat(200_000)}x`],
  ['whitespace inside a section name', `[a${' '.repeat(200_000)}b]`],
  ['double quotes with backslashes', `a="${'\\"'.repeat(100_000)}`],
] as const) {
  t.test(`a long line is parsed in linear time: ${what}`, async (t) => {
    const started = performance.now();
    parseIni('f', line);
    t.ok(performance.now() - started < 5_000);
  });
}
