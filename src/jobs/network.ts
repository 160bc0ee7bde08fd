/**
 * Where a job can be reached (kubernetes-objects.md section 3, launcher-plugin-api.md section 0). Uses get on nodes if
 * that is allowed.
 */
import { NODES } from '../kubernetes/contract.ts';
import type { Context } from './context.ts';
import { JobError, type JobNetwork, type Requester } from './contract.ts';
import { isTerminal, type JobEntry } from './entry.ts';
import { needsService } from './service.ts';

interface NodeAddresses {
  readonly host: string;
  /** External before internal. */
  readonly addresses: readonly string[];
}

/** Nodes hardly ever change their addresses; answers are kept for a minute. */
const KEEP_MS = 60_000;

type NetworkOf = (id: string, requester: Requester) => Promise<JobNetwork>;

export function createNetwork(context: Context): NetworkOf {
  const { client, clock, repository, log, permissions } = context;
  const nodes = new Map<string, { readonly at: number; readonly addresses: NodeAddresses | undefined }>();

  async function node(name: string): Promise<NodeAddresses | undefined> {
    const known = nodes.get(name);
    if (known !== undefined && clock.monotonic() - known.at < KEEP_MS) return known.addresses;
    const addresses = await readNode(name);
    nodes.set(name, { at: clock.monotonic(), addresses });
    return addresses;
  }

  async function readNode(name: string): Promise<NodeAddresses | undefined> {
    if (!permissions.allows('nodes')) return undefined;
    try {
      const found = (await client.get(NODES, name)).object.status?.addresses ?? [];
      const of = (type: string): string[] => found.filter((each) => each.type === type).map(({ address }) => address);
      return { host: of('Hostname')[0] ?? name, addresses: [...of('ExternalIP'), ...of('InternalIP')] };
    } catch (error) {
      if (await permissions.isMissing('nodes', error)) return undefined;
      log.info('The addresses of a node cannot be read; its own address for pods is used', { node: name, error });
      return undefined;
    }
  }

  return async (id, requester) => {
    const entry = repository.find(id, requester);
    const pod = entry.pod?.view;
    if (pod === undefined || pod.node === '' || !(isTerminal(entry) || entry.outcome.state === 'Running'))
      throw new JobError('job-not-running', `Job ${id} is ${entry.outcome.state} and has no network address.`);
    const ofNode = await node(pod.node);
    const nodeAddresses = ofNode?.addresses ?? [pod.hostIp].filter((ip) => ip !== '');
    return { host: ofNode?.host ?? pod.node, ipAddresses: addressesOf(entry, nodeAddresses) };
  };
}

function addressesOf({ job, pod, service }: JobEntry, ofNode: readonly string[]): readonly string[] {
  if (service === undefined || !needsService(job.request)) return ofNode;
  if (service.type === 'ClusterIP') return [...service.clusterIps, ...(pod?.view.podIps ?? [])];
  return service.type === 'LoadBalancer' && service.ingress.length > 0 ? service.ingress : ofNode;
}
