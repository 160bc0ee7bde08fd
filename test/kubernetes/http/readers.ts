/** Two readers of HTTP answers over the same bytes: ours, and undici as the reference. */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Client } from 'undici';
import { Connections } from '../../../src/kubernetes/http/connections.ts';
import { Exchange } from '../../../src/kubernetes/http/exchange.ts';
import { systemClock } from '../../../src/system/clock.ts';

/** What a reader makes of an answer. */
type Read =
  | { readonly outcome: 'answer'; readonly status: number; readonly headers: readonly string[]; readonly body: string }
  | { readonly outcome: 'error'; readonly error: Error };

/** Headers that the client reads. */
const HEADERS = ['content-type', 'date', 'location', 'retry-after', 'warning'];
/** A reader that takes longer has lost the end. */
const PATIENCE_MS = 20_000;

/** A connection that answers the first request with these pieces, each in a turn of its own, and is then closed by the server. */
class Answering extends Duplex {
  readonly #pieces: readonly Buffer[];
  #next = 0;
  #isAnswering = false;

  constructor(pieces: readonly Buffer[]) {
    super();
    this.#pieces = pieces;
  }

  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    this.#continue();
  }

  override _read(): void {}

  #continue(): void {
    if (this.destroyed) return;
    const piece = this.#pieces[this.#next++];
    this.push(piece === undefined ? null : Buffer.from(piece));
    if (piece !== undefined) setImmediate(() => this.#continue());
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

const socketOf = (pieces: readonly Buffer[]): Socket => new Answering(pieces) as unknown as Socket;

async function outcomeOf(read: Promise<Read>): Promise<Read> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('the reader hangs')), PATIENCE_MS);
  try {
    return await Promise.race([read.catch((error: Error): Read => ({ outcome: 'error', error })), promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The reader of the client. */
export function readByOurs(pieces: readonly Buffer[]): Promise<Read> {
  const connections = new Connections({
    target: new URL('http://server'),
    tls: undefined,
    tunnel: async () => socketOf(pieces),
    clock: systemClock,
    connectMs: PATIENCE_MS,
    keepAliveMs: PATIENCE_MS,
    idleMs: PATIENCE_MS,
  });
  const read = async (): Promise<Read> => {
    const request = { lines: ['GET / HTTP/1.1', 'host: server'], headersMs: PATIENCE_MS, clock: systemClock };
    try {
      const exchange = await Exchange.send(connections, request, new AbortController().signal);
      const parts: Buffer[] = [];
      for await (const part of exchange.body()) parts.push(part);
      const body = Buffer.concat(parts).toString('latin1');
      const headers = HEADERS.flatMap((name) => exchange.header(name).map((value) => `${name}: ${value}`));
      return { outcome: 'answer', status: exchange.status, headers, body };
    } finally {
      connections.close(new Error('closed'));
    }
  };
  return outcomeOf(read());
}

/** The reference. */
export function readByUndici(pieces: readonly Buffer[]): Promise<Read> {
  const client = new Client('http://server', {
    connect: (_options, callback) => void setImmediate(() => callback(null, socketOf(pieces))),
    maxHeaderSize: 64 * 1024,
  });
  const read = async (): Promise<Read> => {
    try {
      const answer = await client.request({ method: 'GET', path: '/' });
      const body = Buffer.from(await answer.body.bytes()).toString('latin1');
      const headers = HEADERS.flatMap((name) => {
        const value = answer.headers[name];
        return (value === undefined ? [] : [value].flat()).map((text) => `${name}: ${text}`);
      });
      return { outcome: 'answer', status: answer.statusCode, headers, body };
    } finally {
      await client.destroy();
    }
  };
  return outcomeOf(read());
}

/** Texts of a status of 200 in a recording: a log, or the events of a watch as lines. */
function recordedTexts(): readonly string[] {
  const recording = (path: string): readonly string[] =>
    readFileSync(new URL(`../../../fixtures/recordings/${path}`, import.meta.url), 'utf8')
      .trimEnd()
      .split('\n');
  const log = recording('19-logs/exchanges.jsonl')
    .map((line): { path: string; text?: string } => JSON.parse(line))
    .find(({ path, text }) => path.includes('follow=true&timestamps=true') && text !== undefined);
  const events = recording('17-list-watch/watch-events.jsonl')
    .slice(0, 2)
    .map((line) => JSON.stringify(JSON.parse(line).event));
  return [log?.text ?? '', `${events.join('\n')}\n`];
}

const HEAD = 'Content-Type: text/plain\r\nDate: Mon, 23 Nov 2026 18:02:41 GMT\r\nWarning: 299 - "deprecated"\r\n';

/** Answers with the recorded texts, as an API server, a proxy and a server of HTTP/1.0 send them. */
export function recordedAnswers(): readonly Buffer[] {
  return recordedTexts().flatMap((text) => {
    const lines = text.split(/(?<=\n)/);
    const chunk = (line: string, extension = ''): string =>
      `${Buffer.byteLength(line).toString(16)}${extension}\r\n${line}\r\n`;
    const chunks = lines.map((line) => chunk(line)).join('');
    const extended = lines.map((line, index) => chunk(line, index % 2 === 0 ? ';a=b;c="d e"' : '')).join('');
    const chunked = `HTTP/1.1 200 OK\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
    return [
      `${chunked}${chunks}0\r\n\r\n`,
      `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${chunked}${extended}0\r\nDigest: x\r\n\r\n`,
      `HTTP/1.1 200 OK\r\n${HEAD}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      `HTTP/1.0 200 OK\r\n${HEAD}\r\n${text}`,
    ].map((answer) => Buffer.from(answer));
  });
}

/** Fragments that change the meaning of an answer. */
const FRAGMENTS = [
  '\r\n',
  '\n',
  '\r',
  '0\r\n\r\n',
  '5\r\n',
  'ffffffff\r\n',
  ';',
  ' ',
  '\t',
  '\0',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip\r\n',
  'Connection: close\r\n',
  'HTTP/1.1 103 Early Hints\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n',
  'X: y\r\n',
].map((text) => Buffer.from(text));

/** Changes up to three places of an answer, and cuts it into up to four pieces. `random` returns 0 to 1. */
export function mutated(answer: Buffer, random: () => number): readonly Buffer[] {
  const below = (limit: number): number => Math.floor(random() * limit);
  let bytes = answer;
  for (let change = below(3); change >= 0; change--) {
    // Most of the framing is in the first bytes.
    const at = below(random() < 0.7 ? Math.min(300, bytes.length) : bytes.length);
    const length = below(random() < 0.8 ? 4 : 200);
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    const fragment = FRAGMENTS[below(FRAGMENTS.length)] ?? Buffer.alloc(0);
    const changes = [
      () => [before, Buffer.from([below(256)]), after.subarray(1)],
      () => [before, after.subarray(length)],
      () => [before, after.subarray(0, length), after],
      () => [before, fragment, after],
      () => [before, fragment, after.subarray(fragment.length)],
      () => [before],
    ];
    bytes = Buffer.concat(changes[below(changes.length)]?.() ?? []);
  }
  const cuts = Array.from({ length: below(4) }, () => below(bytes.length)).sort((a, b) => a - b);
  return [...cuts, bytes.length].map((end, index) => bytes.subarray(cuts[index - 1] ?? 0, end));
}

/** Numbers from 0 to 1 that depend on the seed only. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What is wrong with our reader for these bytes; undefined: it returns what undici returns, or an error. */
export async function disagreement(pieces: readonly Buffer[]): Promise<string | undefined> {
  const found = await readByOurs(pieces);
  if (found.outcome === 'error') return found.error.message === 'the reader hangs' ? 'it hangs' : undefined;
  const reference = await readByUndici(pieces);
  if (JSON.stringify(found) === JSON.stringify(reference)) return undefined;
  const reason = reference.outcome === 'error' ? reference.error.message : 'another answer';
  return `undici: ${reason}: ${JSON.stringify(pieces.map((piece) => piece.toString('latin1')))}`;
}
