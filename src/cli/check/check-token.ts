/** What can be told of the token without asking anybody: whose it is, and until when. Its text is never shown. */
import { readTokenFile, tokenFileWarnings } from '../../config/options/cluster-access.ts';
import type { Options } from '../../config/options/options.ts';
import { ConfigError } from '../../config/text/problem.ts';
import { tokenPlace } from '../../jobs/concerned.ts';
import { readClaims, type TokenClaims } from '../../kubernetes/http/credentials.ts';
import { unusable, warningOf } from './check-configuration.ts';
import { type Checked, type Finding, failed, ok, warning } from './report.ts';

const HOUR_MS = 3_600_000;

/** `until 2026-01-02T03:04:05Z`, whose and from whom. */
export function told({ subject, issuer, expires }: TokenClaims): string {
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

/** How to come by a token that works: first the one that does not expire, then one that somebody must renew. */
export function renewal({ account }: TokenClaims, { authTokenPath, kubernetesNamespace }: Options): string {
  const { namespace, name } = account ?? { namespace: kubernetesNamespace, name: 'job-launcher' };
  const kubectl = `kubectl -n ${namespace}`;
  const lasting = `${kubectl} get secret ${name}-token -o jsonpath='{.data.token}' | base64 -d`;
  const passing = `${kubectl} create token ${name} --duration=24h`;
  const [lastingPlace, passingPlace] =
    authTokenPath === undefined
      ? ['into auth-token', 'into the file of auth-token-path']
      : [`> ${authTokenPath}`, `> ${authTokenPath}`];
  return `the token of the Secret that rbac prints does not expire: ${lasting} ${lastingPlace}; one that a timer renews: ${passing} ${passingPlace}`;
}

/** The token as the client will use it, and what it says of itself. */
export function checkToken(
  options: Options,
  isServerUser: boolean,
  namespace: string,
  now: number,
): Checked<TokenClaims> {
  const { authToken = '', authTokenPath } = options;
  let token = authToken;
  try {
    if (authTokenPath !== undefined) token = readTokenFile(authTokenPath, options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: unusable(error, isServerUser) };
  }
  const claims = readClaims(token);
  const open = tokenFileWarnings(options).map(warningOf);
  if (claims !== undefined) return { findings: [...judge(claims, options, namespace, now), ...open], value: claims };
  const found = `${authTokenPath ?? 'auth-token'}: a token that is not a JWT, so that nothing can be told of it`;
  return { findings: [ok(found), ...open], value: {} };
}

function judge(claims: TokenClaims, options: Options, namespace: string, now: number): readonly Finding[] {
  const { expires } = claims;
  const account = claims.account;
  const findings: Finding[] = [];
  const { authTokenPath } = options;
  if (expires !== undefined && expires <= now) {
    const found = `${tokenPlace(options)}: expired ${ago(now - expires)} ago: ${told(claims)}`;
    findings.push(failed(found, renewal(claims, options)));
  } else if (expires !== undefined && authTokenPath === undefined && expires - now < 7 * 24 * HOUR_MS) {
    const found = `${tokenPlace(options)}: expires in ${ago(expires - now)}, and auth-token is never renewed: ${told(claims)}`;
    findings.push(warning(found, renewal(claims, options)));
  } else findings.push(ok(`${authTokenPath ?? 'auth-token'}: ${told(claims)}`));
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
