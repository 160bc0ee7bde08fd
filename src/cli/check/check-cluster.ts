/** Steps of `check` about the cluster: nodes and their labels, metrics, other launchers, accounts with too many permissions. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import type { Constraint } from '../../config/profiles/profile-kinds.ts';
import { place } from '../../config/text/problem.ts';
import type { Setting } from '../../config/text/settings.ts';
import { INSTANCE_LABEL, OURS } from '../../jobs/objects/annotations.ts';
import { type Client, JOBS, NODES, POD_METRICS } from '../../kubernetes/contract.ts';
import { isForbidden, KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { failedCall, type Reviewed } from './check-api.ts';
import { type Checked, type Finding, failure, ok, only, warning } from './check-report.ts';

/** The nodes; `unknown` without the permission to list them. */
export type KnownNodes = readonly Node[] | 'unknown';

/** `grant`: the command that grants the permissions. */
export async function checkNodes(client: Client, grant: string): Promise<Checked<KnownNodes>> {
  try {
    const { items } = await client.list(NODES);
    const ready = items.filter(isReady);
    const found = `${ready.length} of ${items.length} nodes are ready and schedulable`;
    if (ready.length > 0) return { findings: [ok(found)], value: items };
    return {
      findings: [failure(found, 'jobs stay Pending until a node is ready; run: kubectl get nodes')],
      value: items,
    };
  } catch (error) {
    if (!isForbidden(error)) return { findings: [failedCall(error)] };
    const found = 'no permission to list nodes: external addresses, labels and readiness of nodes are unknown';
    return {
      findings: [warning(found, `optional; to grant it, run: ${grant}`)],
      value: 'unknown',
    };
  }
}

function isReady({ spec, status }: Node): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' && spec?.unschedulable !== true;
}

/** Requests the metrics of a pod that does not exist: the error shows whether the API is there, and only needs `get`. */
export async function checkMetrics(client: Client): Promise<Checked<true>> {
  const without = 'CPU and memory usage of jobs is not shown';
  try {
    await client.get(POD_METRICS, 'no-such-pod');
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    const { code, text } = error;
    if (code === 'forbidden')
      return only(warning(`no permission to read metrics.k8s.io: ${without}`, 'see permissions above'));
    if (code !== 'not-found') {
      const remedy = 'run: kubectl -n kube-system get pods -l k8s-app=metrics-server';
      return only(warning(`metrics.k8s.io does not work: ${text}`, remedy));
    }
    if (!text.startsWith('podmetrics')) {
      const remedy = 'optional; to see usage, install metrics-server';
      return only(warning(`metrics.k8s.io is not installed: ${without}`, remedy));
    }
  }
  return only(ok('metrics.k8s.io responds'));
}

/** Placement constraints without a node that has their label: jobs with them stay Pending. */
export function checkConstraints({ profiles, resourceProfiles }: PolicyFiles, nodes: KnownNodes): Checked<true> {
  const settings = [
    ...profiles.sections.flatMap(
      ({ settings: of }) => (of.get('placement-constraints') as Constraints | undefined) ?? [],
    ),
    ...resourceProfiles.flatMap(({ placementConstraints }) => placementConstraints ?? []),
  ];
  const count = settings.reduce((sum, { value }) => sum + value.length, 0);
  if (count === 0) return only(ok('no placement constraints'));
  if (nodes === 'unknown')
    return only(ok(`labels of ${count} placement constraints are not compared: no permission to list nodes`));
  const findings = settings.flatMap((setting) => unmatched(setting, nodes));
  return only(
    ...(findings.length > 0 ? findings : [ok(`nodes have the labels of all ${count} placement constraints`)]),
  );
}

type Constraints = Setting<readonly Constraint[]>;

/** Labels that autoscalers give to the nodes that they add: no node needs to have them yet. */
const AUTOSCALER_LABELS: ReadonlySet<string> = new Set([
  'cloud.google.com/gke-nodepool',
  'eks.amazonaws.com/nodegroup',
  'karpenter.sh/nodepool',
  'kubernetes.azure.com/agentpool',
]);

/** A finding for each constraint of a setting that no node matches. */
export function unmatched({ value, origin }: Constraints, nodes: readonly Node[]): readonly Finding[] {
  return value
    .filter((constraint) => !nodes.some((node) => matches(node, constraint)))
    .map(({ name, value: wanted }) => {
      const label = wanted === undefined ? name : `${name}=${wanted}`;
      const at = origin === undefined ? '' : `${place(origin)}: `;
      if (AUTOSCALER_LABELS.has(name))
        return ok(`${at}placement constraint ${label}: no node has this label; an autoscaler may add such nodes`);
      const found = `${at}placement constraint ${label}: no node has this label; a job with it stays Pending`;
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
    const found = countText(items.length, counts.size);
    if (counts.size <= 1) return { findings: [ok(found)], value: items };
    const who = [...counts].map(([id, count]) => `${id} (${count})`).join(', ');
    const remedy =
      'set another kubernetes-namespace for each launcher; remove jobs of a deleted launcher with kubectl delete job';
    return { findings: [warning(`${found} in one namespace: ${who}`, remedy)], value: items };
  } catch (error) {
    if (isForbidden(error)) return { findings: [warning('no permission to list jobs', 'see permissions above')] };
    return { findings: [failedCall(error)] };
  }
}

function countText(jobs: number, launchers: number): string {
  if (jobs === 0) return 'no jobs';
  const count = jobs === 1 ? '1 job' : `${jobs} jobs`;
  if (launchers === 0) return `${count} without a launcher label`;
  return `${count} of ${launchers === 1 ? '1 launcher' : `${launchers} launchers`}`;
}

const EVERY_ACCOUNT = /to Group "(system:(?:serviceaccounts(?::[^"]+)?|authenticated))"/;

/** A binding that grants the plugin's permissions to a group of accounts, as the API server names it. */
interface SharedRole {
  readonly group: string;
  readonly binding: string;
  readonly role: string;
}

/** Undefined: the API server names no such binding. */
export function sharedRole(reviewed: readonly Reviewed[]): SharedRole | undefined {
  const reason = reviewed.find((each) => EVERY_ACCOUNT.test(each.reason))?.reason ?? '';
  const [, group] = EVERY_ACCOUNT.exec(reason) ?? [];
  if (group === undefined) return undefined;
  const [, kind = 'RoleBinding', name = ''] = /by (\w+) "([^"/]+)/.exec(reason) ?? [];
  const [, role = ''] = /of (?:Cluster)?Role "([^"]+)"/.exec(reason) ?? [];
  return { group, binding: `${kind} ${name}`, role };
}

/** A binding to a group of accounts gives its permissions to every job. `grant`: the command that grants them to one. */
export function checkAccounts(reviewed: readonly Reviewed[], namespace: string, grant: string): Checked<true> {
  const shared = sharedRole(reviewed);
  if (shared === undefined) return only(ok("only the plugin's account has these permissions"));
  const { group, binding, role } = shared;
  const power =
    role === 'cluster-admin'
      ? `is an administrator of namespace ${namespace}`
      : `has the plugin's permissions in namespace ${namespace}`;
  const found = `${binding} grants role ${role} to group ${group}: every job with a service account's token ${power}`;
  const remedy = `run: ${grant}; then delete that binding`;
  return only(warning(found, remedy));
}
