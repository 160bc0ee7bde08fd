/**
 * Service accounts and their bearer tokens. A token looks like a JWT, so that its subject and its expiry can be read,
 * but is valid only because it was given out here.
 */
import { randomUUID } from 'node:crypto';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
}

export const ANONYMOUS: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
const ADMIN: User = { name: 'system:admin', groups: ['system:masters', 'system:authenticated'] };

export interface Accounts {
  /** Gives out a token for `system:serviceaccount:<namespace>:<name>`; without `seconds` it does not expire. */
  readonly issue: (namespace: string, name: string, seconds?: number) => string;
  /** Accepts this text as the token of an account. */
  readonly accept: (token: string, namespace: string, name: string) => void;
  /** A token with all rights, for the people who run the cluster. */
  readonly issueAdmin: () => string;
  readonly revoke: (token: string) => void;
  /** Whose token it is; undefined for an unknown, revoked or expired one. */
  readonly userOf: (token: string) => User | undefined;
}

export function createAccounts(clock: () => number): Accounts {
  const users = new Map<string, { user: User; expires: number }>();
  const uids = new Map<string, string>();

  function serviceAccount(namespace: string, name: string): User {
    const full = `system:serviceaccount:${namespace}:${name}`;
    const uid = uids.get(full) ?? randomUUID();
    uids.set(full, uid);
    return {
      name: full,
      uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    };
  }

  function issue(user: User, seconds: number | undefined): string {
    const now = Math.floor(clock() / 1000);
    const claims = {
      aud: ['https://kubernetes.default.svc'],
      iss: 'https://kubernetes.default.svc',
      iat: now,
      ...(seconds === undefined ? {} : { exp: now + seconds }),
      jti: randomUUID(),
      sub: user.name,
    };
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'RS256', kid: 'simulated' })}.${part(claims)}.${Buffer.from(randomUUID()).toString('base64url')}`;
    users.set(token, { user, expires: seconds === undefined ? Number.POSITIVE_INFINITY : clock() + seconds * 1000 });
    return token;
  }

  return {
    issue: (namespace, name, seconds) => issue(serviceAccount(namespace, name), seconds),
    accept: (token, namespace, name) => {
      users.set(token, { user: serviceAccount(namespace, name), expires: Number.POSITIVE_INFINITY });
    },
    issueAdmin: () => issue(ADMIN, undefined),
    revoke: (token) => {
      users.delete(token);
    },
    userOf: (token) => {
      const entry = users.get(token);
      return entry !== undefined && entry.expires > clock() ? entry.user : undefined;
    },
  };
}
