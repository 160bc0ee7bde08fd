/**
 * Host name and addresses of a job (docs/kubernetes-objects.md section 3, docs/launcher-plugin-api.md section 0). Uses get on
 * nodes and services if allowed. A temporary read error is reported, because clients keep a wrong address.
 */
import { NODES, SERVICES } from '../../kubernetes/contract.ts';
import { isForbidden, isNotFound } from '../../kubernetes/kubernetes-error.ts';
import type { JobsContext } from '../context.ts';
import type { JobNetwork, Requester } from '../contract.ts';
import { JobError, jobErrorOf } from '../job-error.ts';
import { needsService } from '../objects/service.ts';
import { type PodView, projectService, type ServiceView } from '../view/projection.ts';
import { isTerminal, type JobRecord } from '../view/record.ts';

interface NodeAddresses {
  readonly host: string;
  /** External before internal. */
  readonly addresses: readonly string[];
}

/** Node addresses are cached for a minute, and used longer while nodes cannot be read. */
const KEEP_MS = 60_000;
/** Limit of the cache; the oldest addresses are dropped. */
const MOST_NODES = 1_000;
/** Leaves time to report the error before the request's own deadline. */
const READ_MS = 10_000;

type NetworkOf = (id: string, requester: Requester) => Promise<JobNetwork>;

export function createNetwork(context: JobsContext): NetworkOf {
  const { client, clock, repository, services, log, permissions } = context;
  /** The oldest first. */
  const nodes = new Map<string, { readonly at: number; readonly addresses: NodeAddresses }>();

  /** undefined without permission on nodes, or if the node was deleted before it was read. */
  async function nodeOf({ node: name }: PodView): Promise<NodeAddresses | undefined> {
    if (!permissions.allows('nodes')) return undefined;
    const known = nodes.get(name);
    if (known !== undefined && clock.monotonic() - known.at < KEEP_MS) return known.addresses;
    try {
      const addresses = await readNode(name);
      keep(name, addresses);
      return addresses;
    } catch (error) {
      if (await permissions.isMissing('nodes', error)) return undefined;
      log.info('Cannot read the addresses of a node', { node: name, error });
      if (known === undefined && !isForbidden(error) && !isNotFound(error)) throw error;
      return known?.addresses;
    }
  }

  async function readNode(name: string): Promise<NodeAddresses> {
    const { object } = await client.get(NODES, name, { timeoutMs: READ_MS });
    const found = object.status?.addresses ?? [];
    const of = (type: string): string[] => found.filter((each) => each.type === type).map(({ address }) => address);
    return { host: of('Hostname')[0] ?? name, addresses: [...of('ExternalIP'), ...of('InternalIP')] };
  }

  function keep(name: string, addresses: NodeAddresses): void {
    nodes.delete(name);
    nodes.set(name, { at: clock.monotonic(), addresses });
    const [oldest = ''] = nodes.keys();
    if (nodes.size > MOST_NODES) nodes.delete(oldest);
  }

  /** Service of a job that needs one; read if the watch has not delivered it. */
  async function serviceOf({ id, uid, job, service }: JobRecord): Promise<ServiceView | undefined> {
    if (!needsService(job.request)) return undefined;
    if (service !== undefined || !permissions.allows('services')) return service;
    try {
      const found = projectService((await client.get(SERVICES, id, { timeoutMs: READ_MS })).object);
      if (found.ownerUid !== uid) return undefined;
      // A Service of another client may lack the label that the watch selects.
      services.offer(found, { isWatched: false });
      return found;
    } catch (error) {
      if (isNotFound(error) || (await permissions.isMissing('services', error))) return undefined;
      throw error;
    }
  }

  return async (id, requester) => {
    const record = repository.find(id, requester);
    const pod = record.pod?.view;
    if (pod === undefined || pod.node === '' || !(isTerminal(record) || record.outcome.state === 'Running'))
      throw new JobError('job-not-running', `Job ${id} is ${record.outcome.state} and has no network address.`);
    try {
      const [node, service] = await Promise.all([nodeOf(pod), serviceOf(record)]);
      const ofNode = node?.addresses ?? [pod.hostIp].filter((ip) => ip !== '');
      return { host: node?.host ?? pod.node, ipAddresses: addressesOf(pod, service, ofNode) };
    } catch (error) {
      throw jobErrorOf(error, `Cannot read the addresses of job ${id}`);
    }
  };
}

function addressesOf(pod: PodView, service: ServiceView | undefined, ofNode: readonly string[]): readonly string[] {
  if (service?.type === 'ClusterIP') {
    // The pod listens on the target port, which may be another one.
    const isSamePort = service.ports.every(({ port, targetPort }) => port === targetPort);
    return isSamePort ? [...service.clusterIps, ...pod.podIps] : service.clusterIps;
  }
  return service?.type === 'LoadBalancer' && service.ingress.length > 0 ? service.ingress : ofNode;
}
