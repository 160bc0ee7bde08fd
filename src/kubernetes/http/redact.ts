/** What servers and proxies say goes to users and into the log. What they repeat of our request must not. */

/** Of an answer that is no Status. */
const LONGEST_LINE = 200;

/**
 * What quotes our own object, and with it values of variables: a validation of one (`spec.template.spec.containers[0].env[2].value:
 * Invalid value: "..."`), of all that is around it (as JSON, or as Go prints it), and a decoder's surroundings of a mistake.
 */
const QUOTES: readonly RegExp[] = [
  /(\benv\[\d+\]\.value: [A-Z][a-z]+ ?[a-z]*: )(?:"(?:[^"\\]|\\.)*(?:"|$)|`[^`]*(?:`|$)|[^\s,]+?(?=:?(?:[\s,]|$)))/gs,
  /( value: )"\{(?:[^"\\]|\\.)*(?:"|$)/gs,
];
/** The same, where only the first beginning and the last end are certain. */
const SPANS: readonly { readonly begin: RegExp; readonly end: string }[] = [
  { begin: /(?<= value: )[\w.&]*\{/, end: '}' },
  { begin: /\.\.\.\|/, end: '|...' },
];

/** Without the token of our Authorization header, and without values of variables. */
export function withoutSecrets(text: string, authorization: string | undefined): string {
  const token = authorization?.slice(authorization.indexOf(' ') + 1) ?? '';
  const told = token === '' ? text : text.replaceAll(token, '***');
  const unquoted = QUOTES.reduce((rest, pattern) => rest.replace(pattern, '$1***'), told);
  return SPANS.reduce((rest, { begin, end }) => withoutSpan(rest, begin, end), unquoted);
}

/** Without what is between a beginning and the last end; without all that follows if there is none. */
function withoutSpan(text: string, begin: RegExp, end: string): string {
  const from = text.search(begin);
  if (from === -1) return text;
  const to = text.lastIndexOf(end);
  return `${text.slice(0, from)}***${to < from ? '' : text.slice(to + end.length)}`;
}

/** The first line, up to an object that may be ours and was sent back, and of that the beginning. */
export function firstLine(text: string): string {
  const [line = ''] = text.trim().split(/[\r\n]|\s*\{"/, 1);
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}...` : line;
}

/** Members below which an object holds what is nobody's business but its owner's: variables, headers, arguments, attributes of volumes, Secrets. */
const SECRET_MEMBERS: ReadonlySet<string> = new Set([
  'value',
  'command',
  'args',
  'volumeAttributes',
  'data',
  'stringData',
]);

/** The texts in an object that no log may hold. */
export function* secretsIn(object: unknown, isSecret = false): Generator<string, void> {
  if (typeof object === 'string') {
    if (isSecret) yield object;
  } else if (typeof object === 'object' && object !== null) {
    for (const [name, member] of Object.entries(object)) yield* secretsIn(member, isSecret || SECRET_MEMBERS.has(name));
  }
}

/** Fewer characters than this are found in any sentence. */
const SHORTEST_SECRET = 4;
/** Of a longer secret each part of this length is hidden, wherever the sentence cuts it. */
const PART = 8;
const NO_SECRET = /^(?:true|false|null|none)$/i;

/**
 * A text that may quote these secrets, whatever its words and however often it escapes what it quotes, without them: for
 * the log. Who wrote the secrets may read the text as it is.
 */
export function withoutQuoted(text: string, secrets: Iterable<string>): string {
  const said = unescaped(text);
  const parts = new Set(partsOf(said, PART));
  const hidden = new Set<string>();
  for (const secret of secrets) {
    const plain = unescaped(secret);
    if (plain.length >= PART) for (const part of partsOf(plain, PART)) parts.has(part) && hidden.add(part);
    else if (plain.length >= SHORTEST_SECRET && !NO_SECRET.test(plain)) hidden.add(plain);
  }
  const shown = said.split('');
  for (let length = SHORTEST_SECRET; length <= PART; length++) {
    let at = 0;
    for (const part of partsOf(said, length)) {
      if (hidden.has(part)) shown.fill('\0', at, at + length);
      at++;
    }
  }
  return shown.includes('\0') ? shown.join('').replace(/\0+/g, '***') : text;
}

function* partsOf(text: string, length: number): Generator<string, void> {
  for (let at = 0; at + length <= text.length; at++) yield text.slice(at, at + length);
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** Go and JSON write the same text in several ways, one within the other: this is what is left of all of them. */
function unescaped(text: string): string {
  return text.replace(/\\+(?:u([\da-f]{4})|(.))/gis, (_, code: string | undefined, mark: string) =>
    code === undefined ? (ESCAPES[mark] ?? mark) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
