/** sprig's functions of file paths and URLs. On Linux, where templates are rendered, Go's filepath is the same as its path. */
import { GoError } from '../contract.ts';
import { define, dict, string } from '../definition.ts';
import { type GoFunction, kindOf, type Value } from '../values.ts';
import { formatUrl, parseUrl } from './go-url.ts';

/** As path.Clean. */
function clean(path: string): string {
  if (path === '') return '.';
  const rooted = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!rooted) parts.push(part);
  }
  const joined = parts.join('/');
  return rooted ? `/${joined}` : joined || '.';
}

function base(path: string): string {
  if (path === '') return '.';
  const name = path.replace(/(?<!\/)\/+$/, '');
  return /^\/+$/.test(name) || name === '' ? '/' : name.slice(name.lastIndexOf('/') + 1);
}

const directory = (path: string): string => clean(path.slice(0, path.lastIndexOf('/') + 1));

function extension(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot);
}

/** A text of a map for `urlJoin`; a key that is missing is an empty one. */
function part(map: Map<string, Value> | null, key: string): string {
  if (!map?.has(key)) return '';
  const value = map.get(key);
  if (value === null || value === undefined) {
    throw new GoError('runtime error: invalid memory address or nil pointer dereference');
  }
  if (typeof value === 'string') return value;
  throw new GoError(`unable to parse ${key} key, must be of type string, but ${kindOf(value)} found`);
}

function urlJoin(map: Map<string, Value> | null): string {
  const [scheme, host, path, query, opaque, fragment, userinfo] = [
    'scheme',
    'host',
    'path',
    'query',
    'opaque',
    'fragment',
    'userinfo',
  ].map((key) => part(map, key));
  const user = userinfo === '' ? undefined : userOf(userinfo ?? '');
  return formatUrl({
    scheme: scheme ?? '',
    opaque: opaque ?? '',
    user,
    host: host ?? '',
    path: path ?? '',
    query: query ?? '',
    fragment: fragment ?? '',
  });
}

function userOf(userinfo: string): string | undefined {
  try {
    return parseUrl(`proto://${userinfo}@host`).user;
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`unable to parse userinfo in dict: ${error.message}`);
  }
}

function urlParse(text: string): Map<string, Value> {
  try {
    const url = parseUrl(text);
    return new Map(
      Object.entries({ ...url, userinfo: url.user ?? '', hostname: url.hostname }).filter(([key]) => key !== 'user'),
    );
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`unable to parse url: ${error.message}`);
  }
}

export const PATH_FUNCTIONS: readonly GoFunction[] = [
  ...define('base osBase', [string], ([path]) => base(path)),
  ...define('dir osDir', [string], ([path]) => directory(path)),
  ...define('clean osClean', [string], ([path]) => clean(path)),
  ...define('ext osExt', [string], ([path]) => extension(path)),
  ...define('isAbs osIsAbs', [string], ([path]) => path.startsWith('/')),
  ...define('urlParse', [string], ([text]) => urlParse(text)),
  ...define('urlJoin', [dict], ([map]) => urlJoin(map)),
];
