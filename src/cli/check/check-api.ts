/** Steps of `check` about the API server: its version, its clock, the namespace, and the plugin's permissions there. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { Options } from '../../config/options/options.ts';
import { optionPlace } from '../../config/text/problem.ts';
import { tokenPlace } from '../../jobs/connect.ts';
import { CONTAINER_NAME, LAUNCHER, MANAGED_BY } from '../../jobs/objects/annotations.ts';
import { type Client, JOBS } from '../../kubernetes/contract.ts';
import type { TokenClaims } from '../../kubernetes/http/credentials.ts';
import {
  isForbidden,
  isMissingPermission,
  isNotFound,
  isUnauthorized,
  KubernetesError,
} from '../../kubernetes/kubernetes-error.ts';
import type { Clock } from '../../system/clock.ts';
import { type Random, randomText } from '../../system/random.ts';
import { type NeededRule, neededRules, ruleText } from '../rbac-rules.ts';
import { NEWEST_MINOR } from '../version.ts';
import { type Checked, type Finding, failure, ok, only, warning } from './check-report.ts';
import { describeToken, grantCommand, renewal } from './check-token.ts';

/** Minor versions of Kubernetes 1: kubernetes-objects.md, head. */
const OLDEST = 20;
const OLDEST_SUPPORTED = 25;

const ADDRESS =
  "set api-url to the address of the API server: kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}'";

/** The remedies of errors that any call can meet. */
const REMEDIES: Readonly<Partial<Record<KubernetesError['code'], string>>> = {
  timeout: "the API server is overloaded or hangs; run: kubectl get --raw '/readyz?verbose'",
  unreachable:
    'look for a proxy, a firewall or a load balancer between this host and the API server that closes connections',
  interrupted:
    'look for a proxy, a firewall or a load balancer between this host and the API server that closes connections',
  'bad-answer': ADDRESS,
  redirected: ADDRESS,
  'not-found': 'correct api-url: it must end before /api, and include a path prefix only if the API server has one',
  'server-error': 'read the log of the API server: kubectl -n kube-system logs -l component=kube-apiserver',
  'too-many-requests': 'the API server is overloaded; run check again later',
};

/** How a TLS server responds to plain http: Go's sends an error, others do not respond or close the connection. */
const PLAIN_HTTP: ReadonlySet<KubernetesError['code']> = new Set([
  'timeout',
  'unreachable',
  'interrupted',
  'bad-request',
]);

/** A failed step from an error of a call; errors of other kinds pass. `plainUrl`: the place of an api-url with http. */
export function failedCall(error: unknown, plainUrl?: string): Finding {
  if (!(error instanceof KubernetesError)) throw error;
  const { code, method, path, message, reason } = error;
  const found = code === 'timeout' ? `the API server did not answer ${method} ${path} in time` : message;
  if (reason.startsWith('proxy-')) return failure(found, 'correct https-proxy, or start the proxy');
  if (plainUrl !== undefined && PLAIN_HTTP.has(code))
    return failure(`${plainUrl}: ${found}`, 'the port may expect TLS: write https:// in api-url');
  return failure(found, REMEDIES[code]);
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
    // A cluster built without its version has empty strings there.
    if (Number.isNaN(major) || Number.isNaN(minor)) {
      const found = `${name} does not report its version (major and minor are not numbers)`;
      const remedy = 'nothing to do: the plugin treats it as a current version';
      return { findings: [warning(found, remedy)], value: { minor: NEWEST_MINOR } };
    }
    if (major === 1 && minor >= OLDEST_SUPPORTED) return { findings: [ok(name)], value: { minor } };
    if (major === 1 && minor >= OLDEST) {
      const found = `${name} is older than 1.${OLDEST_SUPPORTED}: ${missingBefore(minor).join('; ')}`;
      return {
        findings: [warning(found, 'the plugin works with this version; upgrade the cluster when possible')],
        value: { minor },
      };
    }
    return { findings: [failure(`${name} is too old: the plugin needs 1.${OLDEST} or newer`, 'upgrade the cluster')] };
  } catch (error) {
    if (isUnauthorized(error)) return { findings: [rejected(claims, options, client.namespace, clock.now())] };
    const plainUrl = options.apiUrl.startsWith('http:') ? optionPlace(options.origins, 'api-url') : undefined;
    return { findings: [failedCall(error, plainUrl)] };
  }
}

/** What an older server lacks, by the minor version that added it. */
const LACKS: readonly (readonly [since: number, what: string])[] = [
  [21, 'canceling a pending job sets parallelism 0, because Jobs cannot be suspended'],
  [22, 'the exit code of a stopped job may be unknown'],
  [25, 'where exec cannot kill a job, the plugin sets parallelism 0 and then deletes the pod'],
];

function missingBefore(minor: number): readonly string[] {
  return LACKS.filter(([since]) => minor < since).map(([, what]) => what);
}

function rejected(claims: TokenClaims, options: Options, namespace: string, now: number): Finding {
  const { expires, subject } = claims;
  const found = `${tokenPlace(options)}: the API server does not accept the token (401)`;
  if (expires !== undefined && expires <= now) return failure(`${found}, which has expired`, 'see token above');
  const whose = subject === undefined ? '' : `: ${describeToken(claims)}`;
  const why = 'it was revoked, its account was deleted, or it belongs to another cluster';
  return failure(`${found}${whose}`, `${why}; ${renewal(claims, options, namespace)}`);
}

const MOST_SKEW_MS = 30_000;

/** The difference of the two clocks is reported only; no decision depends on it. */
export function checkClock(client: Client, clock: Clock): Checked<true> {
  const theirs = client.serverTime();
  if (theirs === undefined)
    return only(
      warning(
        'the response of the API server has no Date header',
        'compare the clocks of both hosts by hand (timedatectl); a proxy may have removed the header',
      ),
    );
  const skew = clock.now() - theirs;
  const seconds = Math.round(Math.abs(skew) / 1000);
  if (Math.abs(skew) <= MOST_SKEW_MS) return only(ok(`this host and the API server differ by ${seconds} s`));
  const found = `the clock of this host is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} that of the API server`;
  return only(
    warning(found, 'synchronize both clocks (timedatectl, chronyc tracking); tokens and certificates depend on them'),
  );
}

/** The API server's decision about one verb of a rule. */
export interface Reviewed {
  readonly rule: NeededRule;
  readonly verb: string;
  readonly allowed: boolean;
  /** Which binding allows it, in the API server's words. */
  readonly reason: string;
}

/** Access reviews at the same time. */
const AT_ONCE = 8;

/** Sends an access review for every verb of every rule. Rejects with KubernetesError. */
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

/** Does the namespace exist and accept jobs? A dry run shows it and stores nothing. */
export async function checkNamespace(
  client: Client,
  reviewed: readonly Reviewed[],
  claims: TokenClaims,
  options: Options,
  random: Random,
): Promise<Checked<true>> {
  const { namespace } = client;
  const { account } = claims;
  const { origins } = options;
  try {
    const { warnings } = await client.create(JOBS, sample(`check-${randomText(random, 10)}`), { dryRun: true });
    if (warnings.length === 0) return only(ok(`namespace ${namespace} accepts jobs (dry run)`));
    const remedy = warnings.some((text) => text.includes('PodSecurity'))
      ? 'the API server will refuse pods: set pod-security=restricted in the profiles, or change the label pod-security.kubernetes.io/enforce of the namespace'
      : undefined;
    return only(warning(`namespace ${namespace} accepts jobs, with a warning: ${warnings.join('; ')}`, remedy));
  } catch (error) {
    if (isNotFound(error) || (isMissingPermission(error) && hasNothing(reviewed))) {
      const found = `${optionPlace(origins, 'kubernetes-namespace')}: ${namespace} does not exist, or the account has no permissions in it (Kubernetes does not say which)`;
      // The manifest of rbac would create a namespace that was written by mistake, with another account in it.
      const remedy =
        account === undefined || account.namespace === namespace
          ? `correct the option, or run: ${grantCommand(claims, options)}`
          : `the token belongs to namespace ${account.namespace}: set kubernetes-namespace=${account.namespace}, or bind the account in namespace ${namespace}: subjects: [{kind: ServiceAccount, name: ${account.name}, namespace: ${account.namespace}}]`;
      return { findings: [failure(found, remedy)] };
    }
    if (isMissingPermission(error))
      return only(
        warning(`namespace ${namespace} exists, but the account cannot create jobs in it`, 'see permissions below'),
      );
    if (isForbidden(error)) {
      const found = `namespace ${namespace} refuses jobs: ${error instanceof KubernetesError ? error.text : ''}`;
      const remedy =
        'ask the administrator of the cluster: a quota, an admission webhook or the deletion of the namespace refuses jobs';
      return { findings: [failure(found, remedy)] };
    }
    return { findings: [failedCall(error)] };
  }
}

/** No permission in the namespace: it may be the wrong one. */
export function hasNothing(reviewed: readonly Reviewed[]): boolean {
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

/** One line for all granted permissions, one for each missing rule. */
export function checkPermissions(reviewed: readonly Reviewed[], account: string): Checked<true> {
  const denied = reviewed.filter(({ allowed }) => !allowed);
  const findings = [...new Set(denied.map(({ rule }) => rule))].map((rule): Finding => {
    const verbs = denied.filter((each) => each.rule === rule).map(({ verb }) => verb);
    const kind = rule.clusterWide ? 'ClusterRole' : 'Role';
    // In kubectl's form: jobs.batch, pods.metrics.k8s.io.
    const resource = [rule.resource, rule.group].filter(Boolean).join('.');
    const found = `${account} cannot ${verbs.join(', ')} ${resource}: ${rule.without}`;
    const remedy = `add to its ${kind}: ${ruleText(rule, verbs)}`;
    return rule.required ? failure(found, remedy) : warning(found, remedy);
  });
  const allowed = reviewed.length - denied.length;
  const granted =
    denied.length === 0
      ? `all ${reviewed.length} permissions are granted`
      : `${allowed} of ${reviewed.length} permissions are granted`;
  return { findings: [ok(granted), ...findings], value: true };
}
