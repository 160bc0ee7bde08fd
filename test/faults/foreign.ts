/** What other clients do to the jobs of a run: they create, suspend, resume and end them, and give Services addresses. */
import { setTimeout as sleep } from 'node:timers/promises';
import { deleteObject } from '../cluster/api/deletion.ts';
import { JOBS, NODES, PODS, SERVICES } from '../cluster/api/resources.ts';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import type { Job, Pod } from '../cluster/model.ts';
import { api } from '../integration/api.ts';
import type { Assignment } from './workload.ts';

/** How templates of the first-party plugin label what they create (2.3 to 2.5: the Job and the Service, not the pod). */
export type Generation = 'Job labeled' | 'Job and pod labeled' | 'with a Service';

const OURS = { 'app.kubernetes.io/managed-by': 'launcher' };
const PORT = 8787;

/** Creates a job as another plugin does, again until it exists. Returns its id. */
export async function createAdopted(
  cluster: SimulatedCluster,
  { name, job }: Pick<Assignment, 'name' | 'job'>,
  generation: Generation,
  user: string,
): Promise<string> {
  const id = `${name}-adopted`;
  const ports = JSON.stringify([{ targetPort: PORT, protocol: 'TCP' }]);
  const annotations = { user, name, ...(generation === 'with a Service' ? { service_ports: ports } : {}) };
  const command = ['/bin/sh', '-c', String(job['command'])];
  const container = { name: 'rs-launcher-container', image: 'busybox', imagePullPolicy: 'IfNotPresent', command };
  const metadata = { annotations, ...(generation === 'Job and pod labeled' ? { labels: OURS } : {}) };
  const spec = { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [container] };
  await post(cluster, 'apis/batch/v1', 'jobs', {
    metadata: { name: id, labels: OURS },
    spec: { backoffLimit: 0, template: { metadata, spec } },
  });
  if (generation === 'with a Service') {
    await post(cluster, 'api/v1', 'services', {
      metadata: { name: `${id}-svc`, labels: { ...OURS, 'job-name': id } },
      spec: { selector: { 'job-name': id }, ports: [{ port: PORT, targetPort: PORT }] },
    });
  }
  return id;
}

/** Answers get lost; 409 shows that an earlier one had created it. */
async function post({ url, ca, adminToken, namespace }: SimulatedCluster, group: string, kind: string, body: object) {
  for (;;) {
    const path = `/${group}/namespaces/${namespace}/${kind}`;
    const { status } = await api({ url, ca, token: adminToken }, 'POST', path, body).catch(() => ({ status: 0 }));
    if (status === 201 || status === 409) return;
    await sleep(500);
  }
}

const HOUR_MS = 3_600_000;
/** All Pending jobs are looked at every 5 s, and a cancel may fail at first. */
const PENDING_MS = 12_000;
const POLL_MS = 50;

/**
 * Suspends a job that has run for an hour, as a queue does, resumes it when its pod is deleted, and gives it a node some
 * seconds after the plugin has reported it as Pending.
 */
export async function suspendAndResume(
  { store, namespace }: SimulatedCluster,
  id: string,
  isPending: () => Promise<unknown>,
  over: AbortSignal,
) {
  const find = (): Job | undefined => store.get(JOBS, namespace, id);
  const edit = (change: (draft: Job) => void): void => {
    const found = find();
    if (found !== undefined) store.edit(JOBS, found, change);
  };
  const hourAgo = new Date(Date.now() - HOUR_MS).toISOString().replace(/\.\d+Z$/, 'Z');
  for (const pod of podsOf(store, id)) {
    store.edit<Pod>(PODS, pod, ({ metadata }) => {
      metadata.creationTimestamp = hourAgo;
    });
  }
  edit(({ metadata, spec, status }) => {
    metadata.creationTimestamp = hourAgo;
    if (status.startTime !== undefined) status.startTime = hourAgo;
    spec.suspend = true;
  });
  while (podsOf(store, id).length > 0) {
    if (over.aborted || isFinished(find())) return;
    await sleep(POLL_MS);
  }
  const label = `later-${id}`;
  edit(({ spec }) => {
    spec.suspend = false;
    const { template } = spec;
    if (template.spec === undefined) return;
    template.spec.nodeSelector = { [label]: 'yes' };
    for (const container of template.spec.containers) container.env = [{ name: 'RESUMED', value: 'yes' }];
  });
  await isPending();
  await sleep(PENDING_MS);
  for (const node of store.list(NODES)) {
    store.edit(NODES, node, ({ metadata }) => {
      metadata.labels = { ...metadata.labels, [label]: 'yes' };
    });
  }
}

/** Ends the program with exit code 0, and deletes the pod when its Job is Complete: the API server is away meanwhile. */
export async function endUnseen({ store, journal, namespace }: SimulatedCluster, id: string): Promise<void> {
  const running = journal.processes.find(({ pod, endedAt }) => pod.startsWith(`${id}-`) && endedAt === undefined);
  if (running === undefined) return;
  // Before its first line the shell has no trap for TERM.
  const hasWritten = (): boolean => (journal.output(running.podUid, running.container)?.bytes ?? 0) > 0;
  for (let left = 10_000; left > 0 && !hasWritten(); left -= POLL_MS) await sleep(POLL_MS);
  if (running.endedAt !== undefined) return;
  process.kill(running.pid, 'SIGTERM');
  for (let left = 10_000; left > 0 && !isFinished(store.get(JOBS, namespace, id)); left -= POLL_MS)
    await sleep(POLL_MS);
  for (const pod of podsOf(store, id)) deleteObject(store, PODS, pod, { gracePeriodSeconds: 0 });
}

export const ADDRESS = '192.0.2.7';

/** Gives the Service of a job its address, as a load balancer does some time after the Service was created. */
export function giveAddress({ store, namespace }: SimulatedCluster, id: string): void {
  const service = store.get(SERVICES, namespace, id);
  if (service === undefined) return;
  store.edit(SERVICES, service, (draft) => {
    draft.status = { loadBalancer: { ingress: [{ ip: ADDRESS }] } };
  });
}

const podsOf = (store: SimulatedCluster['store'], id: string): readonly Pod[] =>
  store.list(PODS).filter(({ metadata }) => metadata.labels?.['job-name'] === id);

const isFinished = (job: Job | undefined): boolean =>
  job === undefined ||
  job.status.conditions?.some(({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed')) ===
    true;
