/** Step of `check` about the token: its account and expiry, without asking the server. Never prints the token. */
import { clusterFileWarnings, readTokenFile } from '../../config/options/cluster.ts';
import type { Options } from '../../config/options/options.ts';
import { ConfigError } from '../../config/text/problem.ts';
import { tokenPlace } from '../../jobs/connect.ts';
import { readClaims, type TokenClaims } from '../../kubernetes/http/credentials.ts';
import { tokenRefusal } from '../command-client.ts';
import type { CommandContext } from '../command-session.ts';
import { problemFindings, warningOf } from './check-configuration.ts';
import { type Checked, type Finding, failure, ok, warning } from './check-report.ts';

const HOUR_MS = 3_600_000;

/** `account A, issuer B, until 2026-01-02T03:04:05Z`. */
export function describeToken({ subject, issuer, expires }: TokenClaims): string {
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

/** How to get a valid token: the one that does not expire, or one that a timer renews. */
export function renewal({ account }: TokenClaims, { authTokenPath }: Options, jobNamespace: string): string {
  const { namespace, name } = account ?? { namespace: jobNamespace, name: 'job-launcher' };
  const kubectl = `kubectl -n ${namespace}`;
  const lasting = `${kubectl} get secret ${name}-token -o jsonpath='{.data.token}' | base64 -d`;
  const passing = `${kubectl} create token ${name} --duration=24h`;
  if (authTokenPath === undefined)
    return `set auth-token to the token that does not expire, from the Secret that rbac creates: ${lasting}; or set auth-token-path to a file that a timer writes: ${passing} > /etc/rstudio/launcher.token`;
  return `write the token that does not expire, from the Secret that rbac creates: ${lasting} > ${authTokenPath}; or let a timer run: ${passing} > ${authTokenPath}`;
}

/** The command that grants the permissions to the account of the token. */
export function grantCommand({ account }: TokenClaims, { pluginName }: Pick<Options, 'pluginName'>): string {
  const cluster = pluginName === 'kubernetes' ? '' : ` --plugin-name=${pluginName}`;
  const name = account?.name ?? 'job-launcher';
  const other = name === 'job-launcher' ? '' : ` --account ${name}`;
  return `rstudio-kubernetes-launcher rbac${cluster}${other} | kubectl apply -f -`;
}

/** The token as the client uses it, and its claims. */
export function checkToken(
  options: Options,
  isServerUser: boolean,
  jobNamespace: string,
  context: CommandContext,
): Checked<TokenClaims> {
  const refused = tokenRefusal(options, context);
  if (refused !== undefined) return { findings: problemFindings(new ConfigError('invalid', [refused]), true) };
  const now = context.clock.now();
  const { authToken = '', authTokenPath } = options;
  let token = authToken;
  let open: readonly Finding[];
  try {
    if (authTokenPath !== undefined) token = readTokenFile(authTokenPath, options);
    open = clusterFileWarnings(options).map(warningOf);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: problemFindings(error, isServerUser) };
  }
  const claims = readClaims(token);
  if (claims !== undefined) return { findings: [...judge(claims, options, jobNamespace, now), ...open], value: claims };
  const found = `${authTokenPath ?? 'auth-token'}: the token is not a JWT; its account and expiry are unknown`;
  return { findings: [ok(found), ...open], value: {} };
}

function judge(claims: TokenClaims, options: Options, jobNamespace: string, now: number): readonly Finding[] {
  const { expires } = claims;
  const findings: Finding[] = [];
  const { authTokenPath } = options;
  if (expires !== undefined && expires <= now) {
    const found = `${tokenPlace(options)}: expired ${ago(now - expires)} ago: ${describeToken(claims)}`;
    findings.push(failure(found, renewal(claims, options, jobNamespace)));
  } else if (expires !== undefined && authTokenPath === undefined && expires - now < 7 * 24 * HOUR_MS) {
    const found = `${tokenPlace(options)}: expires in ${ago(expires - now)}, and the plugin cannot renew auth-token: ${describeToken(claims)}`;
    findings.push(warning(found, renewal(claims, options, jobNamespace)));
  } else findings.push(ok(`${authTokenPath ?? 'auth-token'}: ${describeToken(claims)}`));
  return findings;
}

function ago(ms: number): string {
  const hours = Math.floor(ms / HOUR_MS);
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  return hours >= 2 ? `${hours} hours` : `${Math.max(1, Math.floor(ms / 60_000))} minutes`;
}
