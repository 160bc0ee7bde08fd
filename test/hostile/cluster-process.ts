/** A simulated cluster in a process of its own, so that its work does not delay the launcher that is measured. */
import { type ChildProcess, fork } from 'node:child_process';
import { Agent, request } from 'node:https';
import { startCluster } from '../cluster/cluster.ts';

/** The namespace of the plugin that is attacked, and of the one that is not. */
export type Namespace = 'attacked' | 'quiet';

interface ClusterAddress {
  readonly url: string;
  /** May do everything in both namespaces. */
  readonly token: string;
  readonly ca: string;
}

export interface ClusterProcess extends ClusterAddress {
  /** The body of a GET, sent past the plugin on a connection of its own, as the plugin's streams have. */
  readonly get: (path: string) => Promise<string>;
  /** The API server accepts requests and answers none but of logs; watches that are open go on. */
  readonly silence: () => void;
  readonly close: () => Promise<void>;
}

export async function startClusterProcess(): Promise<ClusterProcess> {
  const child = fork(import.meta.filename, ['--serve']);
  const address = await new Promise<ClusterAddress>((resolve, reject) => {
    child.once('message', (message) => resolve(message as ClusterAddress));
    child.once('exit', (code) => reject(new Error(`the simulated cluster ended with exit code ${code}`)));
  });
  const agent = new Agent({ ca: address.ca, maxCachedSessions: 0 });
  return {
    ...address,
    get: (path) => bodyOf(new URL(path, address.url), agent, address.token),
    silence: () => child.send('silence'),
    close: async () => {
      agent.destroy();
      await closed(child);
    },
  };
}

function bodyOf(url: URL, agent: Agent, token: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve(body));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}

async function closed(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  await exit;
}

if (process.argv.includes('--serve')) {
  const namespaces: { namespace: Namespace; namespaces: Namespace[] } = {
    namespace: 'attacked',
    namespaces: ['quiet'],
  };
  const cluster = await startCluster({ ...namespaces, speed: 4, cpuPerNode: '1000', memoryPerNode: '1000Gi' });
  const { url, adminToken, ca } = cluster;
  process.send?.({ url, token: adminToken, ca });
  process.on('message', () =>
    cluster.faults.add({ fault: { type: 'stall', bytes: 0 }, path: /^(?!.*\/log\b)/, times: Number.POSITIVE_INFINITY }),
  );
  process.once('disconnect', () => void cluster.close().finally(() => process.exit()));
}
