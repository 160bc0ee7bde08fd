/** Who a token speaks for, as the token itself says; it is not checked, only the API server can. */
export interface TokenSubject {
  readonly namespace: string;
  readonly name: string;
  /** The Secret that holds the token; undefined for tokens that are in none. */
  readonly secret: string | undefined;
}

const SECRET_CLAIM = 'kubernetes.io/serviceaccount/secret.name';

/** The service account of a JWT (claim `sub`, system:serviceaccount:NAMESPACE:NAME); undefined for any other token. */
export function tokenSubject(token: string): TokenSubject | undefined {
  const [, payload = ''] = token.trim().split('.');
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null || !('sub' in claims)) return undefined;
    const [system, kind, namespace, name] = String(claims.sub).split(':');
    if (system !== 'system' || kind !== 'serviceaccount' || !namespace || !name) return undefined;
    const secret = (claims as Readonly<Record<string, unknown>>)[SECRET_CLAIM];
    return { namespace, name, secret: typeof secret === 'string' ? secret : undefined };
  } catch {
    return undefined;
  }
}
