/** Override files are read for each submit; errors name line and column, never the content. */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { readOverrides } from '../../../src/config/profiles/override-files.ts';

t.test('files are read as they are now, and mistakes are reported without their content', async (t) => {
  const directory = t.testdir({ 'a.json': '[1]' });
  const file = `${directory}/a.json`;
  const origin = { file: '/etc/p.conf', line: 2 };
  const readFrom = (path: string) =>
    readOverrides({ value: [{ pointer: '/x', tokens: ['x'], file: path }], origin }).map(({ value }) => value);
  const read = (): unknown => readFrom(file);
  const said = (): string => {
    try {
      read();
      return 'read';
    } catch (error) {
      return (error as Error).message.replaceAll(directory, 'DIR');
    }
  };
  t.same(read(), [[1]]);
  writeFileSync(file, ' {"a": [true, null, -1.5e3, "\\u00e9\\n"], "b": {}, "c": []}\n');
  t.same(read(), [{ a: [true, null, -1500, 'é\n'], b: {}, c: [] }], 'a changed file counts at once');
  const rows: [text: string, said: string][] = [
    ['', '1: column 1: expected a value'],
    ['SECRET', '1: column 1: expected a value'],
    ['{"a": 1,\n "b" 2}', '2: column 6: expected ":"'],
    ['[1,]', '1: column 4: expected a value'],
    ['[1 2]', '1: column 4: expected "," or "]"'],
    ['{"a": 1,}', '1: column 9: expected a name in double quotes, or no comma before }'],
    ["{'a': 1}", '1: column 2: expected a name in double quotes'],
    ['[01]', '1: column 3: expected "," or "]"'],
    ['["a\tb"]', '1: column 2: expected a value'],
    ['{} // note', '1: column 4: expected the end of the file'],
    [`${'['.repeat(65)}${']'.repeat(65)}`, '1: column 65: more than 64 levels of nesting'],
    ['['.repeat(1_000_000), '1: column 65: more than 64 levels of nesting'],
  ];
  for (const [text, expected] of rows) {
    writeFileSync(file, text);
    t.equal(said(), `DIR/a.json:${expected}`, JSON.stringify(text.slice(0, 20)));
  }
  writeFileSync(file, `${'['.repeat(64)}${']'.repeat(64)}`);
  t.equal(said(), 'read');
  writeFileSync(file, `"${'x'.repeat(1_000_000)}"`);
  t.equal(said(), 'read', 'almost 1 MiB');
  writeFileSync(file, ' '.repeat(1024 * 1024 + 1));
  t.equal(said(), '/etc/p.conf:2: job-json-overrides: DIR/a.json is larger than 1 MiB');
  t.throws(() => readFrom(directory), {
    code: 'invalid',
    message: `/etc/p.conf:2: job-json-overrides: ${directory} is not a regular file`,
  });
  t.throws(() => readFrom('/dev/zero'), {
    message: '/etc/p.conf:2: job-json-overrides: /dev/zero is not a regular file',
  });
  t.throws(() => readFrom(`${file}.none`), {
    code: 'unreadable',
    message: `/etc/p.conf:2: job-json-overrides: ${file}.none does not exist`,
  });
  chmodSync(file, 0o000);
  if (process.getuid?.() !== 0)
    t.match(
      said(),
      /^\/etc\/p\.conf:2: job-json-overrides: DIR\/a\.json cannot be read: .* has no permission: owner \d+, group \d+, mode 00 \(EACCES\) -> chmod u\+rw DIR\/a\.json$/,
    );
});

t.test('a pipe does not block', async (t) => {
  const pipe = `${t.testdir()}/pipe`;
  execFileSync('mkfifo', [pipe]);
  t.throws(() => readOverrides({ value: [{ pointer: '/x', tokens: ['x'], file: pipe }] }), {
    message: `${pipe}: is not a regular file`,
  });
});
