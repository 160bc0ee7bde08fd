/** A simulated cluster in a process of its own, so that its work does not delay the launcher that is measured. */
import { type ChildProcess, fork } from 'node:child_process';
import { startCluster } from '../cluster/cluster.ts';

interface ClusterAddress {
  readonly url: string;
  readonly token: string;
  readonly ca: string;
  readonly namespace: string;
}

export interface ClusterProcess extends ClusterAddress {
  readonly close: () => Promise<void>;
}

export async function startClusterProcess(): Promise<ClusterProcess> {
  const child = fork(import.meta.filename, ['--serve']);
  const address = await new Promise<ClusterAddress>((resolve, reject) => {
    child.once('message', (message) => resolve(message as ClusterAddress));
    child.once('exit', (code) => reject(new Error(`the simulated cluster ended with exit code ${code}`)));
  });
  return { ...address, close: () => closed(child) };
}

async function closed(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  await exit;
}

if (process.argv.includes('--serve')) {
  const cluster = await startCluster({ speed: 4, cpuPerNode: '1000', memoryPerNode: '1000Gi' });
  const { url, token, ca, namespace } = cluster;
  process.send?.({ url, token, ca, namespace });
  process.once('disconnect', () => void cluster.close().finally(() => process.exit()));
}
