/** What of the way to the cluster stands in files; read after privileges were dropped, as the server user. */

import { fileError, namingOf, readNamedFile, readTextFile } from '../text/file.ts';
import { type Origin, type Problem, problem } from '../text/problem.ts';
import { DNS_LABEL } from '../text/values.ts';
import { decodeCertificates } from './cluster-credentials.ts';
import type { OptionName } from './option-table.ts';
import type { Options } from './options.ts';

export interface ClusterAccess {
  /** Namespace of the jobs. */
  readonly namespace: string;
  /** PEM text of what to trust; undefined: the roots of the system. */
  readonly certificateAuthority: string | undefined;
}

/** Reads the CA file and, inside a cluster, the namespace file. Throws ConfigError naming the file and its option. */
export function readClusterAccess(
  options: Pick<
    Options,
    'certificateAuthority' | 'certificateAuthorityPath' | 'kubernetesNamespace' | 'namespacePath' | 'origins'
  >,
): ClusterAccess {
  const { certificateAuthorityPath: caPath, namespacePath, origins } = options;
  const namespace =
    namespacePath === undefined
      ? options.kubernetesNamespace
      : decoded(namespacePath, 'kubernetes-namespace', origins, DNS_LABEL.parse);
  const certificateAuthority =
    caPath === undefined
      ? options.certificateAuthority
      : decoded(caPath, 'certificate-authority', origins, decodeCertificates);
  return { namespace, certificateAuthority };
}

function decoded(
  file: string,
  option: OptionName,
  origins: ReadonlyMap<OptionName, Origin>,
  parse: typeof decodeCertificates,
): string {
  const by = namingOf(origins, option) ?? { file, line: 0, option };
  const parsed = parse(readNamedFile(file, by).text.trim());
  if (!parsed.ok) throw fileError('wrong', file, by, `must be ${parsed.reason}`);
  return parsed.value;
}

/** The token in the file of `auth-token-path`, as it is now. Throws ConfigError if there is none. */
export function readTokenFile(file: string, { origins }: Pick<Options, 'origins'>): string {
  const by = namingOf(origins, 'auth-token-path');
  const token = readNamedFile(file, by).text.trim();
  if (token === '') throw fileError('wrong', file, by, 'holds no token');
  return token;
}

/** The warning that everybody on this host can read the token's file; inside a cluster, where none is named, none. */
export function tokenFileWarnings({ authTokenPath, origins }: Pick<Options, 'authTokenPath' | 'origins'>): Problem[] {
  const origin = origins.get('auth-token-path');
  if (authTokenPath === undefined || origin === undefined) return [];
  const mode = readTextFile(authTokenPath)?.mode ?? 0;
  const message = `everybody on this host can read the token in ${authTokenPath}`;
  return (mode & 0o004) === 0 ? [] : [problem(origin, 'auth-token-path', message, `chmod o-r ${authTokenPath}`)];
}
