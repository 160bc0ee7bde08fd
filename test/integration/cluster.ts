/**
 * The cluster that the integration suite runs against: the simulated one, where the plugin has the permissions that `rbac`
 * prints and no others, or, with TEST_ON=cluster, the one that CLUSTER_API_URL, CLUSTER_TOKEN_FILE, CLUSTER_PLUGIN_TOKEN_FILE,
 * CLUSTER_CA_FILE, CLUSTER_NAMESPACE and CLUSTER_IMAGE name.
 */
import { readFileSync } from 'node:fs';
import { smallestRules } from '../cluster/api/access.ts';
import { type ClusterOptions, type SimulatedCluster, startCluster } from '../cluster/cluster.ts';
import { type ApiAnswer, type ApiTarget, api } from './api.ts';

export interface Cluster extends ApiTarget {
  /** The plugin's own; `token` is the one of the tests. */
  readonly pluginToken: string;
  readonly namespace: string;
  /** Whether containers have file systems of their own; those of simulated nodes are processes of this machine. */
  readonly isolated: boolean;
  /** An image with /bin/sh. */
  readonly image: string;
  /** The minor version of the server: 36 for v1.36. */
  readonly minor: number;
  /** Control of the cluster itself; undefined where the cluster is not ours. */
  readonly simulated: SimulatedCluster | undefined;
  /** A request below the namespace of a group, e.g. `namespaced('GET', 'batch/v1', 'jobs/x')`; '' is the core group's v1. */
  readonly namespaced: (method: string, group: string, path: string, body?: unknown) => Promise<ApiAnswer>;
  readonly node: (name: string) => Promise<ApiAnswer>;
  readonly close: () => Promise<void>;
}

function needed(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`TEST_ON=cluster needs the variable ${name}`);
  return value;
}

export async function openCluster(simulation: ClusterOptions = {}): Promise<Cluster> {
  if (process.env['TEST_ON'] === 'cluster') {
    const token = readFileSync(needed('CLUSTER_TOKEN_FILE'), 'utf8').trim();
    const pluginFile = process.env['CLUSTER_PLUGIN_TOKEN_FILE'];
    return describe(
      {
        url: needed('CLUSTER_API_URL').replace(/\/$/, ''),
        ca: readFileSync(needed('CLUSTER_CA_FILE'), 'utf8'),
        token,
      },
      pluginFile ? readFileSync(pluginFile, 'utf8').trim() : token,
      process.env['CLUSTER_NAMESPACE'] || 'rstudio',
      process.env['CLUSTER_IMAGE'] || 'busybox',
      undefined,
    );
  }
  const simulated = await startCluster(simulation);
  simulated.access.setRules(smallestRules(simulated.namespace));
  const { url, ca, adminToken } = simulated;
  return describe({ url, ca, token: adminToken }, simulated.token, simulated.namespace, 'busybox', simulated);
}

async function describe(
  { url, ca, token }: ApiTarget,
  pluginToken: string,
  namespace: string,
  image: string,
  simulated: SimulatedCluster | undefined,
): Promise<Cluster> {
  const target = { url, ca, token };
  const version = await api(target, 'GET', '/version');
  const nodes = await api(target, 'GET', '/api/v1/nodes');
  return {
    ...target,
    pluginToken,
    minor: Number.parseInt(String(version.body['minor']), 10),
    isolated: !JSON.stringify(nodes.body['items'] ?? []).includes('"osImage":"Simulated Linux"'),
    namespace,
    image,
    simulated,
    namespaced: (method, group, path, body) =>
      api(target, method, `${group === '' ? '/api/v1' : `/apis/${group}`}/namespaces/${namespace}/${path}`, body),
    node: (name) => api(target, 'GET', `/api/v1/nodes/${name}`),
    close: async () => simulated?.close(),
  };
}
