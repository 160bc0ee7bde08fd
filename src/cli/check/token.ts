/** What can be told of the token without asking anybody: whose it is, and until when. Its text is never shown. */
import { readTextFile } from '../../config/file.ts';
import type { Options } from '../../config/options.ts';
import { ConfigError, describe } from '../../config/problem.ts';
import { type Checked, type Finding, failed, ok, warning } from './report.ts';

/** What stands in a token of a service account; absent members stand not there. */
export interface Claims {
  /** `system:serviceaccount:rstudio:job-launcher`. */
  readonly subject?: string;
  readonly issuer?: string;
  /** Milliseconds since 1970. */
  readonly expires?: number;
}

const HOUR_MS = 3_600_000;
const RENEW =
  'make a new one: kubectl -n NAMESPACE create token ACCOUNT, or the Secret that `rbac` prints, which does not expire';

/** Claims of a JWT, not verified: only the API server can do that. Undefined for other tokens. */
export function readClaims(token: string): Claims | undefined {
  const [, payload = '', signature] = token.split('.');
  if (signature === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    if (typeof claims !== 'object' || claims === null) return undefined;
    const { sub, iss, exp } = claims as Readonly<Record<string, unknown>>;
    return {
      ...(typeof sub === 'string' ? { subject: sub } : {}),
      ...(typeof iss === 'string' ? { issuer: iss } : {}),
      ...(typeof exp === 'number' ? { expires: exp * 1000 } : {}),
    };
  } catch {
    return undefined;
  }
}

/** Namespace and name of a service account's subject. */
export function accountOf(subject = ''): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(subject) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

/** `until 2026-01-02T03:04:05Z`, whose and from whom. */
export function told({ subject, issuer, expires }: Claims): string {
  const parts = [
    subject === undefined ? '' : `account ${subject}`,
    issuer === undefined ? '' : `issuer ${issuer}`,
    expires === undefined ? 'without an expiry' : `until ${time(expires)}`,
  ];
  return parts.filter(Boolean).join(', ');
}

function time(ms: number): string {
  return new Date(ms).toISOString().replace('.000', '');
}

/** The token as the client will use it, and what it says of itself. */
export function checkToken(options: Options, namespace: string, now: number): Checked<Claims> {
  const where = options.authTokenPath ?? 'auth-token';
  let token = options.authToken ?? '';
  if (options.authTokenPath !== undefined) {
    try {
      const text = readTextFile(options.authTokenPath)?.text;
      if (text === undefined)
        return { findings: [failed(`${where}: there is no such file`, 'correct auth-token-path')] };
      token = text.trim();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const said = error.problems.map(describe).join('; ');
      return {
        findings: [failed(said, 'let the server user read it: chgrp and chmod g+r, and x on the directories above')],
      };
    }
  }
  if (token === '') return { findings: [failed(`${where} holds no token`, RENEW)] };
  const claims = readClaims(token);
  if (claims === undefined)
    return { findings: [ok(`${where}: a token that is not a JWT, so that nothing can be told of it`)], value: {} };
  return { findings: judge(where, claims, options, namespace, now), value: claims };
}

function judge(
  where: string,
  claims: Claims,
  { authTokenPath }: Options,
  namespace: string,
  now: number,
): readonly Finding[] {
  const { expires } = claims;
  const account = accountOf(claims.subject);
  const findings: Finding[] = [];
  const renew =
    account === undefined ? RENEW : RENEW.replace('NAMESPACE', account.namespace).replace('ACCOUNT', account.name);
  if (expires !== undefined && expires <= now) {
    findings.push(failed(`${where}: expired ${ago(now - expires)} ago: ${told(claims)}`, renew));
  } else if (expires !== undefined && authTokenPath === undefined && expires - now < 7 * 24 * HOUR_MS) {
    const found = `${where}: expires in ${ago(expires - now)}: ${told(claims)}`;
    findings.push(
      warning(
        found,
        'a token of auth-token is never renewed: use auth-token-path and a timer that writes it, or one that does not expire',
      ),
    );
  } else findings.push(ok(`${where}: ${told(claims)}`));
  if (account !== undefined && account.namespace !== namespace) {
    const found = `the account ${account.name} belongs to namespace ${account.namespace}, jobs go to ${namespace}`;
    findings.push(
      warning(
        found,
        `is kubernetes-namespace right? Else bind the account there: subjects: [{kind: ServiceAccount, name: ${account.name}, namespace: ${account.namespace}}]`,
      ),
    );
  }
  return findings;
}

function ago(ms: number): string {
  const hours = Math.floor(ms / HOUR_MS);
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  return hours >= 2 ? `${hours} hours` : `${Math.max(1, Math.floor(ms / 60_000))} minutes`;
}
