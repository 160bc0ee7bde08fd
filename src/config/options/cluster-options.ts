/** Which cluster is meant: the one that was written down, or the one around (configuration.md section 1). Opens no file. */

import type { Origin } from '../text/problem.ts';
import type { OptionName, OptionValues } from './option-table.ts';
import type { Surroundings } from './options.ts';
import { isDirectory } from './options-file.ts';

/** How the cluster is reached; texts as written. */
interface ClusterAccess {
  readonly inCluster: boolean;
  readonly apiUrl: string | undefined;
  readonly authToken?: string | undefined;
  readonly authTokenPath?: string | undefined;
  readonly certificateAuthority?: string | undefined;
  readonly certificateAuthorityPath?: string | undefined;
  readonly namespacePath?: string | undefined;
}

/**
 * With `api-url` written: what was written. Without, and inside a cluster: address, token, CA and (if not written)
 * namespace of that cluster, all of them, so that its token never goes to another host.
 */
export function clusterAccess(
  values: OptionValues,
  given: ReadonlyMap<OptionName, Origin>,
  start: Surroundings,
): ClusterAccess {
  const { authTokenPath, certificateAuthority: ca } = values;
  const mounted = start.serviceAccountDirectory ?? '/var/run/secrets/kubernetes.io/serviceaccount';
  const host = start.env['KUBERNETES_SERVICE_HOST'];
  if (values.apiUrl === undefined && host && isDirectory(mounted)) {
    return {
      inCluster: true,
      apiUrl: `https://${host.includes(':') ? `[${host}]` : host}:${start.env['KUBERNETES_SERVICE_PORT'] || '443'}`,
      authTokenPath: `${mounted}/token`,
      certificateAuthorityPath: `${mounted}/ca.crt`,
      namespacePath: given.has('kubernetes-namespace') ? undefined : `${mounted}/namespace`,
    };
  }
  const isPath = ca?.startsWith('/') === true;
  return {
    inCluster: false,
    apiUrl: values.apiUrl,
    authToken: authTokenPath === undefined ? values.authToken : undefined,
    authTokenPath,
    certificateAuthority: isPath ? undefined : ca,
    certificateAuthorityPath: isPath ? ca : undefined,
  };
}
