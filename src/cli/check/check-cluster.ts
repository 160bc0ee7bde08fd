/** What is in the cluster: nodes and their labels, metrics, other launchers, accounts with too many rights. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import type { Constraint } from '../../config/profiles/profile-table.ts';
import type { Setting } from '../../config/profiles/profiles.ts';
import { place } from '../../config/text/problem.ts';
import { INSTANCE_LABEL, OURS } from '../../jobs/objects/annotations.ts';
import { type Client, JOBS, NODES, POD_METRICS } from '../../kubernetes/contract.ts';
import { isForbidden, KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { failedCall, type Reviewed } from './check-api.ts';
import { type Checked, type Finding, failed, ok, only, warning } from './report.ts';

export async function checkNodes(client: Client): Promise<Checked<readonly Node[]>> {
  try {
    const { items } = await client.list(NODES);
    const ready = items.filter(isReady);
    const found = `${ready.length} of ${items.length} nodes are ready and take pods`;
    if (ready.length > 0) return { findings: [ok(found)], value: items };
    return { findings: [failed(found, 'kubectl get nodes tells why: jobs stay Pending until one is')], value: items };
  } catch (error) {
    if (!isForbidden(error)) return { findings: [failedCall(error)] };
    const found = 'nodes may not be read: external addresses, node labels and nodes that do not answer are not known';
    return {
      findings: [
        warning(
          found,
          'bind the ClusterRole that rstudio-kubernetes-launcher rbac prints, or leave it: it is optional',
        ),
      ],
    };
  }
}

function isReady({ spec, status }: Node): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' && spec?.unschedulable !== true;
}

/** Metrics of no pod in particular: the answer tells whether there are any, and takes nothing but the right to get. */
export async function checkMetrics(client: Client): Promise<Checked<true>> {
  const without = 'the use of CPU and memory of jobs is not shown';
  try {
    await client.get(POD_METRICS, 'no-such-pod');
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    const { code, text } = error;
    if (code === 'forbidden')
      return only(warning(`metrics.k8s.io may not be read: ${without}`, 'see permissions above'));
    if (code !== 'not-found') {
      const remedy = 'look at the pods of metrics-server (kubectl -n kube-system get pods)';
      return only(warning(`metrics.k8s.io does not work: ${text}`, remedy));
    }
    if (!text.startsWith('podmetrics')) {
      const remedy = 'install metrics-server, or leave it: it is optional';
      return only(warning(`there is no metrics.k8s.io: ${without}`, remedy));
    }
  }
  return only(ok('metrics.k8s.io answers'));
}

/** Constraints without a node that has their label: jobs that choose them stay Pending. */
export function checkConstraints({ profiles, resourceProfiles }: PolicyFiles, nodes: readonly Node[]): Checked<true> {
  const settings = [
    ...profiles.sections.flatMap(
      ({ settings: of }) => (of.get('placement-constraints') as Constraints | undefined) ?? [],
    ),
    ...resourceProfiles.flatMap(({ placementConstraints }) => placementConstraints ?? []),
  ];
  const findings = settings.flatMap((setting) => unmatched(setting, nodes));
  if (findings.length > 0) return only(...findings);
  const count = settings.reduce((sum, { value }) => sum + value.length, 0);
  return only(
    ok(count === 0 ? 'no placement constraints' : `nodes have the labels of all ${count} placement constraints`),
  );
}

type Constraints = Setting<readonly Constraint[]>;

/** A warning for each constraint of a line that no node has. */
export function unmatched({ value, origin }: Constraints, nodes: readonly Node[]): readonly Finding[] {
  return value
    .filter((constraint) => !nodes.some((node) => matches(node, constraint)))
    .map(({ name, value: wanted }) => {
      const label = wanted === undefined ? name : `${name}=${wanted}`;
      const at = origin === undefined ? '' : `${place(origin)}: `;
      const found = `${at}placement constraint ${label}: no node has this label, so that a job with it stays Pending`;
      return warning(found, `kubectl label node NODE ${wanted === undefined ? `${name}=VALUE` : label}`);
    });
}

function matches({ metadata }: Node, { name, value }: Constraint): boolean {
  const has = metadata?.labels?.[name];
  return has !== undefined && (value === undefined || has === value);
}

/** Launchers must not share a namespace: each shows, stops and removes the other's jobs. */
export async function checkInstances(client: Client): Promise<Checked<readonly Job[]>> {
  try {
    const { items } = await client.list(JOBS, { labelSelector: OURS });
    const counts = new Map<string, number>();
    for (const { metadata } of items) {
      const id = metadata?.labels?.[INSTANCE_LABEL];
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    const found = whoseJobs(items.length, counts.size);
    if (counts.size <= 1) return { findings: [ok(found)], value: items };
    const who = [...counts].map(([id, count]) => `${id} (${count})`).join(', ');
    const remedy =
      'give each launcher a namespace of its own; jobs of one that is gone end by themselves or with kubectl delete';
    return { findings: [warning(`${found} in one namespace: ${who}`, remedy)], value: items };
  } catch (error) {
    if (isForbidden(error)) return { findings: [warning('jobs may not be listed', 'see permissions above')] };
    return { findings: [failedCall(error)] };
  }
}

function whoseJobs(jobs: number, launchers: number): string {
  if (jobs === 0) return 'no jobs';
  const count = jobs === 1 ? '1 job' : `${jobs} jobs`;
  if (launchers === 0) return `${count}, made by no launcher that names itself`;
  return `${count} of ${launchers === 1 ? '1 launcher' : `${launchers} launchers`}`;
}

const EVERY_ACCOUNT = /to Group "(system:(?:serviceaccounts(?::[^"]+)?|authenticated))"/;

/** The binding through which a group of accounts has the plugin's rights, in the words of the API server. */
interface SharedRole {
  readonly group: string;
  readonly binding: string;
  readonly role: string;
}

/** Undefined: the rights are those of the account alone, as far as the API server says. */
export function sharedRole(reviewed: readonly Reviewed[]): SharedRole | undefined {
  const reason = reviewed.find((each) => EVERY_ACCOUNT.test(each.reason))?.reason ?? '';
  const [, group] = EVERY_ACCOUNT.exec(reason) ?? [];
  if (group === undefined) return undefined;
  const [, kind = 'RoleBinding', name = ''] = /by (\w+) "([^"/]+)/.exec(reason) ?? [];
  const [, role = ''] = /of (?:Cluster)?Role "([^"]+)"/.exec(reason) ?? [];
  return { group, binding: `${kind} ${name}`, role };
}

/** A binding to a group of accounts gives its rights to every job. */
export function checkAccounts(reviewed: readonly Reviewed[], namespace: string): Checked<true> {
  const shared = sharedRole(reviewed);
  if (shared === undefined) return only(ok("the rights are the account's own, jobs do not share them"));
  const { group, binding, role } = shared;
  const power =
    role === 'cluster-admin'
      ? `an administrator of namespace ${namespace}`
      : `as powerful as the plugin in namespace ${namespace}`;
  const found = `${binding} gives role ${role} to group ${group}: every job with a service account's token is ${power}`;
  const remedy =
    'apply what rstudio-kubernetes-launcher rbac prints, which binds the account alone, and delete that binding';
  return only(warning(found, remedy));
}
