/** The parser of answers: bodies without framing however they are cut, and errors with the rule that is violated. */
import t from 'tap';
import { AnswerParser } from '../../../src/kubernetes/http/answer-parser.ts';
import { LargeBuffers } from '../../../src/system/loop-memory.ts';
import { disagreement, mutated, randomOf, readByOurs, readByUndici, recordedAnswers } from './readers.ts';

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** The body of an answer that arrives in one read, and whether it is complete. */
function parse(text: string): { readonly body: string; readonly parser: AnswerParser } {
  const parser = new AnswerParser();
  const bytes = Buffer.from(text, 'latin1');
  const body = Buffer.alloc(bytes.length);
  return { body: body.toString('latin1', 0, parser.push(bytes, body, 0)), parser };
}

/** Where loops need no copy. */
const large = new LargeBuffers(2);
const [largeRead = Buffer.alloc(0), largeTarget = Buffer.alloc(0)] = [large.take(), large.take()];

/** The same in reads of this size; the state after each of them is part of it. */
function readIn(
  answer: Buffer,
  size: number,
  [read, target]: readonly [Buffer, Buffer] = [Buffer.alloc(size), Buffer.alloc(size + 3)],
): { readonly body: string; readonly error?: string; readonly complete?: boolean } {
  const parser = new AnswerParser();
  let body = '';
  try {
    for (let at = 0; at < answer.length; at += size) {
      const bytes = read.subarray(0, answer.copy(read, 0, at, at + size));
      body += target.toString('latin1', 3, parser.push(bytes, target.subarray(0, bytes.length + 3), 3));
    }
    return { body, complete: parser.isComplete };
  } catch (error) {
    // What came before the error in the same read is not returned.
    return { body: '', error: String(error) };
  }
}

t.test('every split of a recorded stream gives the body and the headers', async (t) => {
  for (const answer of recordedAnswers()) {
    const expected = parse(answer.toString('latin1')).body;
    for (let cut = 1; cut < answer.length; cut++) {
      const parser = new AnswerParser();
      const body = Buffer.alloc(answer.length);
      const end = parser.push(answer.subarray(cut), body, parser.push(answer.subarray(0, cut), body, 0));
      if (body.toString('latin1', 0, end) !== expected || parser.status !== 200) t.fail(`cut at ${cut}`);
    }
    t.ok(expected.length > 100);
  }
});

t.test('recorded streams byte by byte are what undici reads', async (t) => {
  for (const answer of recordedAnswers()) {
    const pieces = Array.from(answer, (byte) => Buffer.from([byte]));
    const found = await readByOurs(pieces);
    t.equal(found.outcome, 'answer');
    t.same(found, await readByUndici([answer]));
  }
});

t.test('a mutated stream is read as undici reads it, or is an error', async (t) => {
  const random = randomOf(1);
  const answers = recordedAnswers();
  for (let count = 0; count < 400; count++) {
    const answer = answers[count % answers.length] ?? Buffer.alloc(0);
    t.equal(await disagreement(mutated(answer, random)), undefined);
  }
});

t.test('chunks, extensions and trailers are removed', async (t) => {
  const { body, parser } = parse(`${CHUNKED}3\r\nabc\r\n0002;a;b=c;d="e f"\r\nde\r\n0\r\nDigest: x\r\n\r\n`);
  t.equal(body, 'abcde');
  t.equal(parser.isComplete, true);
  t.equal(parser.isReusable, true);
});

t.test('many chunks of one read are the same as chunks in small reads, and as what undici reads', async (t) => {
  const random = randomOf(7);
  const below = (most: number): number => Math.floor(random() * most);
  let errors = 0;
  for (let round = 0; round < 150; round++) {
    const chunks = Array.from({ length: 1 + below(200) }, () => {
      const content = 'c'.repeat(below(20) === 0 ? 1 + below(90_000) : 1 + below(300));
      const size = content.length.toString(16).padStart(below(9), '0');
      const unusual = below(300);
      return `${unusual === 1 ? `${size};a=b` : unusual === 2 ? `${size}g` : size.toUpperCase()}\r${unusual === 3 ? '' : '\n'}${content}\r\n`;
    });
    const answer = Buffer.from(`${CHUNKED}${chunks.join('')}0\r\n\r\n`, 'latin1');
    const cut = below(3) === 0 ? answer.length - below(400) : answer.length;
    const received = answer.subarray(0, cut);
    const size = 60_000 + below(200_000);
    const small = readIn(received, 700);
    t.strictSame(readIn(received, size), small);
    t.strictSame(readIn(received, size, [largeRead, largeTarget]), small);
    if (cut === answer.length && round % 10 === 0) t.equal(await disagreement([answer]), undefined);
    if (small.error !== undefined) errors++;
  }
  t.ok(errors > 10 && errors < 140, `${errors} were malformed`);
});

t.test('a body of Content-Length ends with its last byte', async (t) => {
  const { body, parser } = parse('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc');
  t.equal(body, 'abc');
  t.equal(parser.isReusable, true);
});

t.test('bytes after the answer do not belong to it, and the connection is not used again', async (t) => {
  const { body, parser } = parse('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd');
  t.equal(body, 'abc');
  t.equal(parser.isReusable, false);
});

t.test('a body without length ends with the connection', async (t) => {
  const { body, parser } = parse('HTTP/1.1 200 OK\r\n\r\nabc');
  t.equal(body, 'abc');
  t.equal(parser.isComplete, false);
  t.equal(parser.close(), true);
  t.equal(parser.isReusable, false);
});

t.test('a connection that is closed within a body does not complete it', async (t) => {
  t.equal(parse(`${CHUNKED}3\r\nabc\r\n`).parser.close(), false);
  t.equal(parse('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab').parser.close(), false);
  t.equal(parse('HTTP/1.1 200 OK\r\n').parser.close(), false);
});

t.test('an answer with Connection: close, or of HTTP/1.0, leaves no connection to use again', async (t) => {
  const head = 'Connection: Keep-Alive, Close\r\nContent-Length: 0\r\n\r\n';
  t.equal(parse(`HTTP/1.1 200 OK\r\n${head}`).parser.isReusable, false);
  t.equal(parse('HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n').parser.isReusable, false);
});

t.test('statuses without a body end with their headers', async (t) => {
  for (const status of [204, 304]) {
    const { parser } = parse(`HTTP/1.1 ${status} x\r\n\r\n`);
    t.equal(parser.status, status);
    t.equal(parser.isReusable, true);
  }
});

t.test('headers are found by names in lower case, without spaces before values', async (t) => {
  const { parser } = parse('HTTP/1.1 200\r\nWARNING: \t a\r\nWarning:b\r\nContent-Length: 0\r\n\r\n');
  t.same(parser.headers.get('warning'), ['a', 'b']);
});

const MALFORMED: readonly (readonly [answer: string, why: string])[] = [
  ['SSH-2.0-OpenSSH\r\n', 'the server does not speak HTTP/1.1'],
  ['HTTP/2 200 OK\r\n', 'the server does not speak HTTP/1.1'],
  ['HTTP/1.1 20 OK\r\n', 'the server does not speak HTTP/1.1'],
  ['HTTP/1.1 200 OK\n', 'the answer is malformed: a line of the headers has no carriage return'],
  ['HTTP/1.1 200 OK\r\nA : b\r\n', 'the answer is malformed: a header is malformed'],
  ['HTTP/1.1 200 OK\r\nA: b\r\n c\r\n', 'the answer is malformed: a header is malformed'],
  ['HTTP/1.1 200 OK\r\nA: b\0\r\n', 'the answer is malformed: a header is malformed'],
  ['HTTP/1.1 103 x\r\nConnection: close\r\n\r\n', 'the answer is malformed: it ends before its headers'],
  ['HTTP/1.1 101 Upgrade\r\n\r\n', 'the answer is malformed: nothing was requested that this status answers'],
  [
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
    'the answer is malformed: it has two lengths',
  ],
  [
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n',
    'the answer is malformed: its length is malformed',
  ],
  ['HTTP/1.1 200 OK\r\nContent-Length: 3 \r\n\r\n', 'the answer is malformed: its length is malformed'],
  ['HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n', 'the answer is malformed: its length is malformed'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456\r\n\r\n', 'the answer is malformed: its length is malformed'],
  [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'the answer is malformed: its transfer encoding is not chunked',
  ],
  [`${CHUNKED}x\r\n`, 'the answer is malformed: the size of a chunk is malformed'],
  [`${CHUNKED}-3\r\n`, 'the answer is malformed: the size of a chunk is malformed'],
  [`${CHUNKED}\r\n`, 'the answer is malformed: the size of a chunk is malformed'],
  [`${CHUNKED}123456789\r\n`, 'the answer is malformed: the size of a chunk is malformed'],
  [`${CHUNKED}3 \r\n`, 'the answer is malformed: the size of a chunk is malformed'],
  [`${CHUNKED}3\rx`, 'the answer is malformed: the size of a chunk has no end'],
  [`${CHUNKED}3;\r\n`, 'the answer is malformed: the extension of a chunk is malformed'],
  [`${CHUNKED}3;${'a'.repeat(5_000)}`, 'the answer is malformed: the extension of a chunk is malformed'],
  [`${CHUNKED}3\r\nabcd`, 'the answer is malformed: a chunk has no end'],
  [`${CHUNKED}3\r\nabc\rd`, 'the answer is malformed: a chunk has no end'],
  [`${CHUNKED}0\r\nContent-Length: 1\r\n`, 'the answer is malformed: it has two lengths'],
  [`${CHUNKED}0\r\nA : b\r\n`, 'the answer is malformed: a header is malformed'],
  [`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(65_536)}`, 'the answer is malformed: the headers are longer than 64 KiB'],
  ['HTTP/1.1 102 Processing\r\n\r\n'.repeat(3_000), 'the answer is malformed: the headers are longer than 64 KiB'],
  [`${CHUNKED}0\r\n${'A: b\r\n'.repeat(12_000)}`, 'the answer is malformed: the headers are longer than 64 KiB'],
];

for (const [answer, why] of MALFORMED) {
  t.test(`${JSON.stringify(answer.slice(0, 100))} is an error`, async (t) => {
    t.throws(() => parse(answer), { message: why });
  });
}
