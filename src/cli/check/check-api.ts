/** What the API server answers: its version, its clock, the namespace, the rights that the plugin needs there. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { Options } from '../../config/options/options.ts';
import { optionPlace } from '../../config/text/problem.ts';
import { tokenPlace } from '../../jobs/concerned.ts';
import { CONTAINER_NAME, LAUNCHER, MANAGED_BY } from '../../jobs/objects/annotations.ts';
import { type Client, JOBS } from '../../kubernetes/contract.ts';
import type { TokenClaims } from '../../kubernetes/http/credentials.ts';
import {
  isForbidden,
  isMissingRight,
  isNotFound,
  isUnauthorized,
  KubernetesError,
} from '../../kubernetes/kubernetes-error.ts';
import type { Clock } from '../../system/clock.ts';
import { type Random, randomText } from '../../system/random.ts';
import { type NeededRule, neededRules, ruleText } from '../rules.ts';
import { renewal, told } from './check-token.ts';
import { type Checked, type Finding, failed, ok, only, warning } from './report.ts';

/** Minor versions of Kubernetes 1: kubernetes-objects.md, head. */
const OLDEST = 20;
const OLDEST_SUPPORTED = 25;

/** The remedies of errors that any call can meet. */
const REMEDIES: Readonly<Partial<Record<KubernetesError['code'], string>>> = {
  timeout: "the API server is overloaded or hangs: look at its log and at the cluster's own health",
  unreachable: 'something between this host and the API server cuts connections: a proxy, a firewall, a load balancer',
  interrupted: 'something between this host and the API server cuts connections: a proxy, a firewall, a load balancer',
  'bad-answer': 'api-url does not name an API server but something else that answers http',
  redirected: 'api-url must name the API server itself, not a page that redirects to it',
  'not-found': 'api-url must end where /api begins: is there a path prefix too much or too little?',
  'server-error': 'look at the log of the API server',
  'too-many-requests': 'the API server is overloaded; try again',
};

/** What a server that expects TLS does to plain http: Go's says so, others say nothing or hang up. */
const PLAIN_HTTP: ReadonlySet<KubernetesError['code']> = new Set([
  'timeout',
  'unreachable',
  'interrupted',
  'bad-request',
]);

/** A failed step from an error of a call; errors of other kinds pass. `isPlain`: api-url is http. */
export function failedCall(error: unknown, isPlain = false): Finding {
  if (!(error instanceof KubernetesError)) throw error;
  const { code, method, path, message } = error;
  const found = code === 'timeout' ? `the API server did not answer ${method} ${path} in time` : message;
  if (isPlain && PLAIN_HTTP.has(code))
    return failed(found, 'api-url says http, but the port may speak https: write https:// there');
  return failed(found, REMEDIES[code] ?? 'see the text');
}

export async function checkVersion(
  client: Client,
  claims: TokenClaims,
  options: Options,
  clock: Clock,
): Promise<Checked<{ readonly minor: number }>> {
  try {
    const { major, minor, gitVersion } = await client.version();
    const name = `Kubernetes ${gitVersion}`;
    if (major === 1 && minor >= OLDEST_SUPPORTED) return { findings: [ok(name)], value: { minor } };
    if (major === 1 && minor >= OLDEST) {
      const found = `${name} is older than 1.${OLDEST_SUPPORTED}: ${missingBefore(minor).join('; ')}`;
      return {
        findings: [warning(found, 'it works all the same; upgrade the cluster when you can')],
        value: { minor },
      };
    }
    return { findings: [failed(`${name} is too old: 1.${OLDEST} is the oldest that works`, 'upgrade the cluster')] };
  } catch (error) {
    if (isUnauthorized(error)) return { findings: [rejected(claims, options, clock.now())] };
    return { findings: [failedCall(error, options.apiUrl.startsWith('http:'))] };
  }
}

/** By the minor version in which it came: what an older server lacks. */
const LACKS: readonly (readonly [since: number, what: string])[] = [
  [21, 'a cancelled job is held back by its parallelism alone'],
  [22, 'the exit code of a stopped job may not be known'],
  [25, 'a killed job that ignores exec is held back by its parallelism before its pod is deleted'],
];

function missingBefore(minor: number): readonly string[] {
  return LACKS.filter(([since]) => minor < since).map(([, what]) => what);
}

function rejected(claims: TokenClaims, options: Options, now: number): Finding {
  const { expires, subject } = claims;
  const found = `${tokenPlace(options)}: the API server does not accept the token (401)`;
  if (expires !== undefined && expires <= now) return failed(`${found}, which has expired`, 'see token above');
  const whose = subject === undefined ? '' : `: ${told(claims)}`;
  const why = 'it was revoked, its account deleted, or it is of another cluster';
  return failed(`${found}${whose}`, `${why}; ${renewal(claims, options)}`);
}

const MOST_SKEW_MS = 30_000;

/** Two clocks are only compared here, to tell people; nothing is decided by it. */
export function checkClock(client: Client, clock: Clock): Checked<true> {
  const theirs = client.serverTime();
  if (theirs === undefined)
    return only(warning('the API server does not tell its time (no Date header)', 'a proxy between may take it away'));
  const skew = clock.now() - theirs;
  const seconds = Math.round(Math.abs(skew) / 1000);
  if (Math.abs(skew) <= MOST_SKEW_MS) return only(ok(`${seconds} s apart from the API server`));
  const found = `the clock of this host is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} that of the API server`;
  return only(
    warning(found, 'let both keep time (timedatectl, chronyc tracking): tokens and certificates expire by it'),
  );
}

/** What the API server says of one verb of a rule. */
export interface Reviewed {
  readonly rule: NeededRule;
  readonly verb: string;
  readonly allowed: boolean;
  /** Which binding allows it, in the API server's words. */
  readonly reason: string;
}

/** How many questions are asked at the same time. */
const AT_ONCE = 8;

/** Asks for every verb of every rule. Rejects with KubernetesError. */
export async function reviewRules(client: Client, options: Options): Promise<readonly Reviewed[]> {
  const questions = neededRules(options).flatMap((rule) => rule.verbs.map((verb) => ({ rule, verb })));
  const reviewed: Reviewed[] = [];
  for (let first = 0; first < questions.length; first += AT_ONCE) {
    reviewed.push(...(await Promise.all(questions.slice(first, first + AT_ONCE).map((each) => review(client, each)))));
  }
  return reviewed;
}

async function review(client: Client, { rule, verb }: Pick<Reviewed, 'rule' | 'verb'>): Promise<Reviewed> {
  const [resource = '', subresource] = rule.resource.split('/');
  const { allowed, reason } = await client.allowed({
    verb,
    group: rule.group,
    resource,
    ...(subresource === undefined ? {} : { subresource }),
    namespace: rule.clusterWide ? '' : client.namespace,
  });
  return { rule, verb, allowed, reason };
}

/** Is the namespace there, and may jobs be made in it? Told by a dry run, which stores nothing. */
export async function checkNamespace(
  client: Client,
  reviewed: readonly Reviewed[],
  { account }: TokenClaims,
  { origins }: Options,
  random: Random,
): Promise<Checked<true>> {
  const { namespace } = client;
  try {
    const { warnings } = await client.create(JOBS, sample(`check-${randomText(random, 10)}`), { dryRun: true });
    if (warnings.length === 0) return only(ok(`${namespace} takes jobs (dry run)`));
    const remedy = warnings.some((text) => text.includes('PodSecurity'))
      ? 'pods would be refused: pod-security=restricted in the profiles, or another label on the namespace'
      : 'see the text';
    return only(warning(`${namespace} takes jobs, with a warning: ${warnings.join('; ')}`, remedy));
  } catch (error) {
    if (isNotFound(error) || (isMissingRight(error) && hasNothing(reviewed))) {
      const found = `${optionPlace(origins, 'kubernetes-namespace')}: ${namespace} does not exist, or the account has no rights in it (Kubernetes does not tell which)`;
      // What rbac prints would make the namespace that was written by mistake, and another account in it.
      const remedy =
        account === undefined || account.namespace === namespace
          ? 'correct it, or apply what rstudio-kubernetes-launcher rbac prints'
          : `the token belongs to namespace ${account.namespace}: was that meant?`;
      return { findings: [failed(found, remedy)] };
    }
    if (isMissingRight(error))
      return only(warning(`${namespace} is there, but jobs cannot be made in it`, 'see permissions below'));
    if (isForbidden(error)) {
      const found = `${namespace} refuses jobs: ${error instanceof KubernetesError ? error.text : ''}`;
      return only(failed(found, 'a quota, an admission webhook or the end of the namespace: its own words say which'));
    }
    return { findings: [failedCall(error)] };
  }
}

/** Nothing is allowed in the namespace: it may be the wrong one. */
function hasNothing(reviewed: readonly Reviewed[]): boolean {
  return reviewed.every(({ allowed, rule }) => !allowed || rule.clusterWide);
}

function sample(name: string): Job {
  const metadata: ObjectMeta = { name, labels: { [MANAGED_BY]: LAUNCHER } };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata,
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels: { [MANAGED_BY]: LAUNCHER } },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          containers: [{ name: CONTAINER_NAME, image: 'busybox', command: ['true'] }],
        },
      },
    },
  };
}

/** One line for all that is well, one for each rule that is missing; one for all if there is nothing in the namespace. */
export function checkPermissions(reviewed: readonly Reviewed[], account: string, namespace: string): Checked<true> {
  if (hasNothing(reviewed))
    return { findings: [failed(`${account} may do nothing in namespace ${namespace}`, 'see namespace above')] };
  const denied = reviewed.filter(({ allowed }) => !allowed);
  const findings = [...new Set(denied.map(({ rule }) => rule))].map((rule): Finding => {
    const verbs = denied.filter((each) => each.rule === rule).map(({ verb }) => verb);
    const kind = rule.clusterWide ? 'ClusterRole' : 'Role';
    // As kubectl writes it: jobs.batch, pods.metrics.k8s.io.
    const resource = [rule.resource, rule.group].filter(Boolean).join('.');
    const found = `${account} may not ${verbs.join(', ')} ${resource}: ${rule.without}`;
    const remedy = `add to its ${kind}: ${ruleText(rule, verbs)}`;
    return rule.required ? failed(found, remedy) : warning(found, remedy);
  });
  const allowed = reviewed.length - denied.length;
  return { findings: [ok(`${allowed} of ${reviewed.length} rights are there`), ...findings], value: true };
}
