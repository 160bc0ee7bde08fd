/** Tokens: the one sent with each request, read again when its file changes and after a 401, and the claims of a JWT. */
import { readFile, stat } from 'node:fs/promises';
import { errorMessage } from '../../system/errors.ts';
import type { Log } from '../../system/log.ts';
import { KubernetesError } from '../kubernetes-error.ts';

/** How the client authenticates; the token is already decoded (configuration.md section 1). */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'token-file'; readonly path: string };

export interface TokenSource {
  /** The Authorization header's value; undefined without a token. Rejects with KubernetesError `credentials`. */
  readonly authorization: () => Promise<string | undefined>;
  /** After a 401: reads the file again; true if the token differs from `used`. */
  readonly changedSince: (used: string | undefined) => Promise<boolean>;
}

/** A token file is read again when it has changed; while it is unreadable, the last token is used. */
export function tokenSource(credentials: Credentials, log: Log): TokenSource {
  if (credentials.kind !== 'token-file') {
    const fixed = credentials.kind === 'token' ? bearer(credentials.token, 'the option auth-token') : undefined;
    return { authorization: async () => fixed, changedSince: async () => false };
  }
  const { path } = credentials;
  let known: { readonly mark: string; readonly header: string } | undefined;
  let warned = false;

  const read = async (force: boolean): Promise<string> => {
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(path);
      const mark = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      if (force || known?.mark !== mark) known = { mark, header: bearer(await readFile(path, 'utf8'), path) };
      warned = false;
      return known.header;
    } catch (error) {
      if (known === undefined) {
        const message = errorMessage(error);
        throw new KubernetesError({ code: 'credentials', method: 'read', path, text: message, cause: error });
      }
      if (!warned) log.warning('Cannot read the token file; using the last token', { path, error });
      warned = true;
      return known.header;
    }
  };
  return {
    authorization: () => read(false),
    changedSince: async (used) => (await read(true)) !== used,
  };
}

/** The errors do not quote the token, because they are logged. */
function bearer(text: string, where: string): string {
  const token = text.trim();
  if (token === '') throw new Error(`${where} contains no token`);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new Error(`the token of ${where} contains spaces, control characters or non-ASCII characters`);
  return `Bearer ${token}`;
}

/** Namespace and name of a service account. */
interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** Claims of a token, which only the API server can verify. */
export interface TokenClaims {
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  readonly subject?: string;
  /** Service account of the subject. */
  readonly account?: Account;
  readonly issuer?: string;
  /** Milliseconds since 1970. */
  readonly expires?: number;
  /** Name of the Secret that contains the token. */
  readonly secret?: string;
}

const SECRET_CLAIM = 'kubernetes.io/serviceaccount/secret.name';

/** Claims of a JWT; undefined for any other token. */
export function readClaims(token: string): TokenClaims | undefined {
  const [, payload = '', signature] = token.trim().split('.');
  if (signature === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null) return undefined;
    const { sub, iss, exp, [SECRET_CLAIM]: secret } = claims as Readonly<Record<string, unknown>>;
    const account = accountOf(sub);
    return {
      ...(typeof sub === 'string' ? { subject: sub } : {}),
      ...(account === undefined ? {} : { account }),
      ...(typeof iss === 'string' ? { issuer: iss } : {}),
      ...(typeof exp === 'number' ? { expires: exp * 1000 } : {}),
      ...(typeof secret === 'string' ? { secret } : {}),
    };
  } catch {
    return undefined;
  }
}

function accountOf(subject: unknown): Account | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(String(subject)) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

/** A service account, and the Secret that contains its token; undefined for tokens outside Secrets. */
export interface TokenSubject extends Account {
  readonly secret: string | undefined;
}

/** Service account of a token; undefined for other tokens. */
export function tokenSubject(token: string): TokenSubject | undefined {
  const { account, secret } = readClaims(token) ?? {};
  return account === undefined ? undefined : { ...account, secret };
}
