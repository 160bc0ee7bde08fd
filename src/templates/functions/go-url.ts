/** URLs as Go's package net/url parses and writes them, for sprig's urlParse and urlJoin. */
import { fromBytes, toBytes } from '../bytes.ts';
import { GoError } from '../contract.ts';
import { quoted } from '../language/format-string.ts';

/** The parts that urlJoin writes; `user` is escaped already, undefined for none. */
interface UrlParts {
  readonly scheme: string;
  readonly opaque: string;
  readonly user: string | undefined;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
}

type Mode = 'path' | 'user' | 'host' | 'zone' | 'fragment';

/** Characters that are written as they are, beside letters and digits. */
const UNESCAPED: Readonly<Record<Mode, string>> = {
  path: '-_.~$&+,/:;=@',
  user: '-_.~$&+,;=',
  host: `-_.~!$&'()*+,;=:[]<>"`,
  zone: `-_.~!$&'()*+,;=:[]<>"`,
  fragment: '-_.~$&+,/:;=?@!()*',
};

const isPlain = (char: string, mode: Mode): boolean => /^[0-9A-Za-z]$/.test(char) || UNESCAPED[mode].includes(char);

/** One character for each byte, and back. */
const latin1 = (text: string): string => Buffer.from(toBytes(text)).toString('latin1');
const fromLatin1 = (bytes: string): string => fromBytes(Buffer.from(bytes, 'latin1'));

function percentEncoded(text: string, mode: Mode): string {
  return [...latin1(text)]
    .map((char) => (isPlain(char, mode) ? char : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`))
    .join('');
}

function percentDecoded(text: string, mode: Mode): string {
  const bytes = latin1(text);
  const isHost = mode === 'host' || mode === 'zone';
  let result = '';
  for (let i = 0; i < bytes.length; i++) {
    const char = bytes[i] ?? '';
    const escaped = bytes.slice(i, i + 3);
    if (char !== '%') {
      if (isHost && char < '\x80' && !isPlain(char, mode)) {
        throw new GoError(`invalid character ${quoted(char, '"', false)} in host name`);
      }
      result += char;
      continue;
    }
    const invalid = new GoError(`invalid URL escape ${quoted(fromLatin1(escaped), '"', false)}`);
    if (!/^%[0-9A-Fa-f]{2}$/.test(escaped)) throw invalid;
    const value = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    if (mode === 'host' && value < '\x80' && escaped !== '%25') throw invalid;
    if (mode === 'zone' && escaped !== '%25' && value !== ' ' && !isPlain(value, 'host')) throw invalid;
    result += value;
    i += 2;
  }
  return fromLatin1(result);
}

const cut = (text: string, separator: string): readonly [string, string] => {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
};

export function parseUrl(source: string): UrlParts & { readonly hostname: string } {
  const [text, rawFragment] = cut(source, '#');
  const url = named(text, () => parseWithoutFragment(text));
  const fragment = named(source, () => percentDecoded(rawFragment, 'fragment'));
  return { ...url, fragment };
}

function named<T>(text: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`parse ${quoted(text, '"', false)}: ${error.message}`);
  }
}

function parseWithoutFragment(text: string): UrlParts & { readonly hostname: string } {
  if (/[\0-\x1f\x7f]/.test(text)) throw new GoError('net/url: invalid control character in URL');
  const nothing = {
    scheme: '',
    opaque: '',
    user: undefined,
    host: '',
    hostname: '',
    path: '',
    query: '',
    fragment: '',
  };
  if (text === '*') return { ...nothing, path: '*' };
  if (text.startsWith(':')) throw new GoError('missing protocol scheme');
  const prefix = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text);
  const scheme = prefix?.[1]?.toLowerCase() ?? '';
  const [rest, query] = cut(text.slice(prefix?.[0].length ?? 0), '?');
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...nothing, scheme, opaque: rest, query };
    if (cut(rest, '/')[0].includes(':')) throw new GoError('first path segment in URL cannot contain colon');
  }
  if (!rest.startsWith('//') || (scheme === '' && rest.startsWith('///'))) {
    return { ...nothing, scheme, path: percentDecoded(rest, 'path'), query };
  }
  const slash = rest.indexOf('/', 2);
  const authority = rest.slice(2, slash < 0 ? undefined : slash);
  const at = authority.lastIndexOf('@');
  const host = parseHost(authority.slice(at + 1));
  const user = at < 0 ? undefined : parseUser(authority.slice(0, at));
  const path = percentDecoded(slash < 0 ? '' : rest.slice(slash), 'path');
  return { scheme, opaque: '', user, host, hostname: hostname(host), path, query, fragment: '' };
}

const isPort = (text: string): boolean => /^(?::[0-9]*)?$/.test(text);

function hostname(host: string): string {
  const colon = host.lastIndexOf(':');
  const name = colon >= 0 && isPort(host.slice(colon)) ? host.slice(0, colon) : host;
  return name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
}

function parseHost(host: string): string {
  const bracket = host.startsWith('[') ? host.lastIndexOf(']') : -1;
  if (host.startsWith('[') && bracket < 0) throw new GoError("missing ']' in host");
  const colon = host.lastIndexOf(':');
  const port = bracket >= 0 ? host.slice(bracket + 1) : colon >= 0 ? host.slice(colon) : '';
  if (!isPort(port)) throw new GoError(`invalid port ${quoted(port, '"', false)} after host`);
  const zone = host.slice(0, Math.max(bracket, 0)).indexOf('%25');
  if (zone < 0) return percentDecoded(host, 'host');
  return (
    percentDecoded(host.slice(0, zone), 'host') +
    percentDecoded(host.slice(zone, bracket), 'zone') +
    percentDecoded(host.slice(bracket), 'host')
  );
}

function parseUser(userinfo: string): string {
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(userinfo)) throw new GoError('net/url: invalid userinfo');
  const [name, password] = cut(userinfo, ':');
  const written = percentEncoded(percentDecoded(name, 'user'), 'user');
  return userinfo.includes(':') ? `${written}:${percentEncoded(percentDecoded(password, 'user'), 'user')}` : written;
}

export function formatUrl({ scheme, opaque, user, host, path, query, fragment }: UrlParts): string {
  let text = scheme === '' ? '' : `${scheme}:`;
  if (opaque !== '') text += opaque;
  else {
    if (scheme + host !== '' || user !== undefined) {
      if (host + path !== '' || user !== undefined) text += '//';
      if (user !== undefined) text += `${user}@`;
      text += percentEncoded(host, 'host');
    }
    const escaped = path === '*' ? '*' : percentEncoded(path, 'path');
    if (escaped !== '' && !escaped.startsWith('/') && host !== '') text += '/';
    if (text === '' && cut(escaped, '/')[0].includes(':')) text += './';
    text += escaped;
  }
  if (query !== '') text += `?${query}`;
  return fragment === '' ? text : `${text}#${percentEncoded(fragment, 'fragment')}`;
}
