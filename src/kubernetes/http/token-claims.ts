/** What a token says of itself; it is not verified, only the API server can do that. Its text is never shown. */

/** Namespace and name of a service account. */
interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** Claims of a token; absent members stand not there. */
export interface TokenClaims {
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  readonly subject?: string;
  /** The account that the subject names. */
  readonly account?: Account;
  readonly issuer?: string;
  /** Milliseconds since 1970. */
  readonly expires?: number;
  /** The Secret that holds the token, where one does. */
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

/** A service account, and the Secret that holds its token; undefined for tokens that are in none. */
export interface TokenSubject extends Account {
  readonly secret: string | undefined;
}

/** Who a token speaks for; undefined for any token but a service account's. */
export function tokenSubject(token: string): TokenSubject | undefined {
  const { account, secret } = readClaims(token) ?? {};
  return account === undefined ? undefined : { ...account, secret };
}
