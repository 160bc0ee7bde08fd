/** Redaction of tokens, of words that look like secrets, and of values that a server quotes. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import {
  firstLine,
  redactAnswer,
  redactQuoted,
  redactTokens,
  redactWords,
  secretStrings,
} from '../../src/system/redact.ts';

/** Milliseconds of CPU time. */
function cpu(run: () => unknown): number {
  const before = process.cpuUsage();
  run();
  return process.cpuUsage(before).user / 1000;
}

t.test('a JSON web token is redacted, also its beginning and in base64', async (t) => {
  t.equal(redactTokens('token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln is wrong'), 'token *** is wrong');
  t.equal(redactTokens('eyJhbGciOiJSUzI1NiJ9'), '***');
  t.equal(redactTokens('ZXlKaGJHY2lPaUpTVXpJMU5pSjkuZXlK'), '***');
  t.equal(redactTokens('eyJ is short'), 'eyJ is short');
});

t.test('a long word of alternating digits and letters is redacted, a path or a host is not', async (t) => {
  t.equal(redactWords('--password x8f3k2m9q4w7e1r5t6y0'), '--password ***');
  t.equal(redactWords('https://k8s-api-1.internal.example.com:6443'), 'https://k8s-api-1.internal.example.com:6443');
  t.equal(redactWords('/etc/rstudio/launcher.kubernetes.conf'), '/etc/rstudio/launcher.kubernetes.conf');
});

t.test('the token of the request is redacted in an answer, and so is any other JSON web token', async (t) => {
  t.equal(redactAnswer('Bearer secret-1 was refused', 'Bearer secret-1'), 'Bearer *** was refused');
  t.equal(redactAnswer('eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln', undefined), '***');
});

t.test('a quoted value of a variable is redacted, another quoted field is not', async (t) => {
  const text = 'env[0].value: Invalid value: "PW": must be short; image: Invalid value: " x": must not have spaces';
  t.equal(
    redactAnswer(text, undefined),
    'env[0].value: Invalid value: ***: must be short; image: Invalid value: " x": must not have spaces',
  );
});

t.test('50,000 letters where a server names the kind of mistake take no time', async (t) => {
  const text = `env[0].value: A${'a'.repeat(50_000)}`;
  t.ok(cpu(() => redactAnswer(text, undefined)) < 500);
  t.equal(redactAnswer(text, undefined), text);
});

t.test('the first line ends before an object, whatever whitespace is between', async (t) => {
  t.equal(firstLine('  bad request   {"kind":"Pod"}'), 'bad request');
  t.equal(firstLine('one\rtwo'), 'one');
  t.equal(firstLine('x'.repeat(201)), `${'x'.repeat(200)}...`);
  t.ok(cpu(() => firstLine(`a${' '.repeat(65_536)}b`)) < 500);
});

t.test('the private strings of an object are those below value, args, command, data and the like', async (t) => {
  const pod = {
    metadata: { name: 'a' },
    spec: { containers: [{ image: 'busybox', args: ['--key', 's-1'], env: [{ name: 'A', value: 's-2' }] }] },
  };
  t.strictSame([...secretStrings(pod)], ['--key', 's-1', 's-2']);
});

t.test('a quoted secret is redacted however often it is escaped and wherever it is cut', async (t) => {
  t.equal(redactQuoted('value "my secret password" is bad', ['my secret password']), 'value "***" is bad');
  t.equal(redactQuoted('value "pass\\\\nword-1234', ['pass\nword-1234']), 'value "***');
  t.equal(redactQuoted('value "my secret pa...', ['my secret password']), 'value "***...');
  t.equal(redactQuoted('it is true', ['true', 'it']), 'it is true');
});

/** Marks each place of a text where a part of a secret stands, one after the other. */
function slowlyRedacted(text: string, secrets: readonly string[]): string {
  const marked = text.split('');
  for (const secret of secrets) {
    const parts =
      secret.length < 8 ? [secret] : Array.from({ length: secret.length - 7 }, (_, at) => secret.slice(at, at + 8));
    for (const part of secret.length < 4 ? [] : parts)
      for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1))
        marked.fill('\0', at, at + part.length);
  }
  return marked.join('').replace(/\0+/g, '***');
}

t.test('given any text and secrets, the places are those that a search for each part finds', async () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'é', ' '), maxLength: 60 });
  const property = fc.property(texts, fc.array(texts, { maxLength: 4 }), (text, secrets) => {
    assert.equal(redactQuoted(text, secrets), slowlyRedacted(text, secrets));
  });
  fc.assert(property, { numRuns: 2_000 });
});
