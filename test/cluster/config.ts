/**
 * The plugin's options file for a cluster of this kind.
 */
export function launcherConfig(cluster: { url: string; token: string; ca: string; namespace: string }): string {
  return [
    `api-url=${cluster.url}`,
    `auth-token=${cluster.token}`,
    `certificate-authority=${Buffer.from(cluster.ca).toString('base64')}`,
    `kubernetes-namespace=${cluster.namespace}`,
    '',
  ].join('\n');
}
