/**
 * What leads to a cluster of this kind: the plugin's options file, and the variables of `npm run test:cluster`.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';

interface Way {
  readonly url: string;
  readonly token: string;
  readonly ca: string;
  readonly namespace: string;
}

/** The first line of an options file of ours: a directory that has one may be written to again. */
const MARK = '# Written by npm run cluster, and written anew when it is started with this directory again.';

/** The options that lead to a cluster. */
export function optionsFor({ url, token, ca }: Omit<Way, 'namespace'>) {
  return { 'api-url': url, 'auth-token': token, 'certificate-authority': Buffer.from(ca).toString('base64') };
}

/** The options file; the plugin's log and scratch directories are below `folder`. */
export function launcherConfig(cluster: Way, folder: string, serverUser: string): string {
  return [
    MARK,
    ...Object.entries(optionsFor(cluster)).map(([option, value]) => `${option}=${value}`),
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
 * for the server user. The directory itself must be one that this user can pass through. Throws if it holds files, but
 * not those of an earlier start.
 */
export function writeFiles(directory: string, cluster: Way): Files {
  const folder = resolve(directory);
  const isRoot = process.getuid?.() === 0;
  // Started as root the plugin becomes somebody else, and every machine has this one; else it stays who it is.
  const serverUser = isRoot ? 'nobody' : userInfo().username;
  const configFile = `${folder}/launcher.kubernetes.conf`;
  refuseOthers(folder, configFile);
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

function refuseOthers(folder: string, configFile: string): void {
  if (!existsSync(folder) || readdirSync(folder).length === 0) return;
  if (existsSync(configFile) && readFileSync(configFile, 'utf8').startsWith(MARK)) return;
  throw new Error(`${folder} holds files that are not of npm run cluster: name another directory, or empty it`);
}

function idOf(user: string, what: '-u' | '-g'): number {
  return Number(execFileSync('id', [what, user], { encoding: 'utf8' }));
}
