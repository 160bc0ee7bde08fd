/**
 * What leads to a cluster of this kind: the plugin's options file, and the variables of `npm run test:cluster`.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';

interface Way {
  readonly url: string;
  readonly token: string;
  readonly ca: string;
  readonly namespace: string;
}

/** The options file; the plugin's log and scratch directories are below `folder`. */
export function launcherConfig(cluster: Way, folder: string, serverUser: string): string {
  return [
    `api-url=${cluster.url}`,
    `auth-token=${cluster.token}`,
    `certificate-authority=${Buffer.from(cluster.ca).toString('base64')}`,
    `kubernetes-namespace=${cluster.namespace}`,
    `server-user=${serverUser}`,
    `logging-dir=${folder}/log`,
    `scratch-path=${folder}/scratch`,
    '',
  ].join('\n');
}

export interface Files {
  readonly configFile: string;
  /** For `npm run test:cluster`, one a line. */
  readonly variables: readonly string[];
}

/**
 * Writes token, certificate and options file into a directory, and makes the directories that the options file names,
 * for the server user. The directory itself must be one that this user can pass through.
 */
export function writeFiles(directory: string, cluster: Way): Files {
  const folder = resolve(directory);
  const isRoot = process.getuid?.() === 0;
  // Started as root the plugin becomes somebody else, and every machine has this one; else it stays who it is.
  const serverUser = isRoot ? 'nobody' : userInfo().username;
  const configFile = `${folder}/launcher.kubernetes.conf`;
  const isNew = mkdirSync(folder, { recursive: true }) !== undefined;
  if (isNew) chmodSync(folder, 0o755);
  const files = {
    [`${folder}/token`]: cluster.token,
    [`${folder}/ca.crt`]: cluster.ca,
    [configFile]: launcherConfig(cluster, folder, serverUser),
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(path, text, { mode: 0o600 });
  for (const path of [`${folder}/log`, `${folder}/scratch`]) {
    mkdirSync(path, { recursive: true });
    chownSync(path, idOf(serverUser, '-u'), idOf(serverUser, '-g'));
  }
  return {
    configFile,
    variables: [
      `CLUSTER_API_URL=${cluster.url}`,
      `CLUSTER_TOKEN_FILE=${folder}/token`,
      `CLUSTER_CA_FILE=${folder}/ca.crt`,
      `CLUSTER_NAMESPACE=${cluster.namespace}`,
    ],
  };
}

function idOf(user: string, what: '-u' | '-g'): number {
  return Number(execFileSync('id', [what, user], { encoding: 'utf8' }));
}
