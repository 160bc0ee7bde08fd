/** Redaction: every function that takes tokens, passwords or values of variables out of text for a log, an error or a terminal. */
import { jitter } from './random.ts';

const REDACTED = '***';

/** A JSON web token or its beginning (`{"` in base64url), also encoded in base64 once more. */
const TOKEN = /(?:eyJ|ZXlK)(?:[\w+/-]{16,}|[\w-]+\.)[\w.+/=-]*/g;

/** Replaces JSON web tokens. */
export function redactTokens(text: string): string {
  return text.replace(TOKEN, REDACTED);
}

/**
 * A word of 20 or more characters in which digits and letters alternate: a token or password of another kind. Paths, hosts
 * and digests (after a slash or colon) and names that people give have fewer such places.
 */
const OPAQUE = /(?<![\w/:.+=~-])(?=[\w/.+=~-]{20})(?=(?:[\w/.+=~-]*?(?:[A-Za-z]\d|\d[A-Za-z])){4})\w[\w/.+=~-]*/g;

/** Replaces JSON web tokens and other words that look like a secret: for text typed in the wrong place. */
export function redactWords(text: string): string {
  return redactTokens(text).replace(OPAQUE, REDACTED);
}

/** Longest text of an answer that is not a Status. */
const LONGEST_LINE = 200;

/**
 * Places where the API server quotes the object that it was sent, and with it values of variables: the validation of one
 * (`spec.template.spec.containers[0].env[2].value: Invalid value: "..."`), and of an object around it, as JSON or as Go prints it.
 */
const QUOTES: readonly RegExp[] = [
  /(\benv\[\d+\]\.value: [A-Z][a-z]{1,30}(?: [a-z]{1,30})?: )(?:"(?:[^"\\]|\\.)*(?:"|$)|`[^`]*(?:`|$)|[^\s,]+?(?=:?(?:[\s,]|$)))/gs,
  /( value: )"\{(?:[^"\\]|\\.)*(?:"|$)/gs,
];
/** Quotations of which only the first beginning and the last end are certain; the second is the context of a decoding error. */
const SPANS: readonly { readonly begin: RegExp; readonly end: string }[] = [
  { begin: /(?<= value: )[\w.&]*\{/, end: '}' },
  { begin: /\.\.\.\|/, end: '|...' },
];

/** Redacts what a server or proxy says: the token of the Authorization header, other tokens, values of variables. */
export function redactAnswer(text: string, authorization: string | undefined): string {
  const token = authorization?.slice(authorization.indexOf(' ') + 1) ?? '';
  const withoutToken = redactTokens(token === '' ? text : text.replaceAll(token, REDACTED));
  const withoutQuotes = QUOTES.reduce((rest, pattern) => rest.replace(pattern, `$1${REDACTED}`), withoutToken);
  return SPANS.reduce((rest, { begin, end }) => redactSpan(rest, begin, end), withoutQuotes);
}

/** Redacts what is between a beginning and the last end, or all that follows if there is no end. */
function redactSpan(text: string, begin: RegExp, end: string): string {
  const from = text.search(begin);
  if (from === -1) return text;
  const to = text.lastIndexOf(end);
  return `${text.slice(0, from)}${REDACTED}${to < from ? '' : text.slice(to + end.length)}`;
}

/** The first line, up to an object that may be an echo of the request, cut at 200 characters. */
export function firstLine(text: string): string {
  const trimmed = text.trim();
  const end = trimmed.search(/[\r\n]|\{"/);
  const line = (end === -1 ? trimmed : trimmed.slice(0, end)).trimEnd();
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}...` : line;
}

/** Fields with private values: variables, arguments, attributes of volumes, contents of Secrets. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'value',
  'command',
  'args',
  'volumeAttributes',
  'data',
  'stringData',
]);

/** The strings in an object that must not be logged. */
export function* secretStrings(object: unknown, isSecret = false): Generator<string, void> {
  if (typeof object === 'string') {
    if (isSecret) yield object;
  } else if (typeof object === 'object' && object !== null) {
    for (const [name, value] of Object.entries(object))
      yield* secretStrings(value, isSecret || SECRET_FIELDS.has(name));
  }
}

/** A shorter secret would match ordinary words. */
const SHORTEST_SECRET = 4;
/** Of a longer secret each part of this length is redacted, wherever the sentence cuts it. */
const PART = 8;
const NO_SECRET = /^(?:true|false|null|none)$/i;

/**
 * Redacts text that may quote these secrets, however often it escapes what it quotes. For the log; the user who wrote the
 * secrets may read the text unredacted. Takes 10 ms for secrets of 1 MB, whatever they are: a part is looked for until it is found.
 */
export function redactQuoted(text: string, secrets: Iterable<string>): string {
  const plainText = unescaped(text);
  const parts = new PartsOfText(plainText);
  const found = new Set<string>();
  for (const secret of new Set(secrets)) {
    const plain = unescaped(secret);
    if (plain.length >= PART) parts.find(plain, found);
    else if (plain.length >= SHORTEST_SECRET && !NO_SECRET.test(plain)) found.add(plain);
  }
  const shown = plainText.split('');
  for (let length = SHORTEST_SECRET; length <= PART; length++) {
    let at = 0;
    for (const part of partsOf(plainText, length)) {
      if (found.has(part)) shown.fill('\0', at, at + length);
      at++;
    }
  }
  return shown.includes('\0') ? shown.join('').replace(/\0+/g, REDACTED) : text;
}

/** The upper 16 bits of a hash are its index. */
const HASHES = 2 ** 16;
/** Different in each process: nobody can write a secret with the hashes of another text. An even one would lose characters. */
const BASE = Math.floor(jitter() * 2 ** 31) * 2 + 1;
const BASE_TO_PART = Array.from({ length: PART }, () => BASE).reduce(Math.imul, 1);

/** The parts of a text that were not found yet, by the hashes of their characters. */
class PartsOfText {
  readonly #parts = new Set<string>();
  /** How many parts have each hash. */
  readonly #hashes = new Uint16Array(HASHES);

  constructor(text: string) {
    this.#eachHash(text, (index, start) => {
      const part = text.slice(start, start + PART);
      if (this.#parts.has(part)) return;
      this.#parts.add(part);
      this.#hashes[index] = (this.#hashes[index] ?? 0) + 1;
    });
  }

  /** Moves the parts that this secret has to `found`. */
  find(secret: string, found: Set<string>): void {
    this.#eachHash(secret, (index, start) => {
      if (this.#hashes[index] === 0) return;
      const part = secret.slice(start, start + PART);
      if (!this.#parts.delete(part)) return;
      this.#hashes[index] = (this.#hashes[index] ?? 0) - 1;
      found.add(part);
    });
  }

  #eachHash(text: string, take: (index: number, start: number) => void): void {
    let hash = 0;
    for (let at = 0; at < text.length; at++) {
      hash = (Math.imul(hash, BASE) + text.charCodeAt(at)) | 0;
      if (at >= PART) hash = (hash - Math.imul(text.charCodeAt(at - PART), BASE_TO_PART)) | 0;
      if (at >= PART - 1) take(Math.imul(hash, 0x9e3779b1) >>> 16, at - PART + 1);
    }
  }
}

function* partsOf(text: string, length: number): Generator<string, void> {
  for (let at = 0; at + length <= text.length; at++) yield text.slice(at, at + length);
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** The characters behind any number of nested escapes, in the ways in which Go and JSON write them. */
function unescaped(text: string): string {
  return text.replace(/\\+(?:u([\da-f]{4})|(.))/gis, (_, code: string | undefined, mark: string) =>
    code === undefined ? (ESCAPES[mark] ?? mark) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
