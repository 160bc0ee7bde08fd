/**
 * What leads to a cluster of this kind: the plugin's options file, and the variables of `npm run test:cluster`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

export function launcherConfig(cluster: { url: string; token: string; ca: string; namespace: string }): string {
  return [
    `api-url=${cluster.url}`,
    `auth-token=${cluster.token}`,
    `certificate-authority=${Buffer.from(cluster.ca).toString('base64')}`,
    `kubernetes-namespace=${cluster.namespace}`,
    '',
  ].join('\n');
}

/** Writes token, certificate and options file into a directory; returns the variables that name them, one a line. */
export function writeFiles(
  directory: string,
  cluster: { url: string; token: string; ca: string; namespace: string },
): string[] {
  const folder = resolve(directory);
  const files = { token: cluster.token, 'ca.crt': cluster.ca, 'launcher.kubernetes.conf': launcherConfig(cluster) };
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(`${folder}/${name}`, text, { mode: 0o600 });
  return [
    `CLUSTER_API_URL=${cluster.url}`,
    `CLUSTER_TOKEN_FILE=${folder}/token`,
    `CLUSTER_CA_FILE=${folder}/ca.crt`,
    `CLUSTER_NAMESPACE=${cluster.namespace}`,
  ];
}
