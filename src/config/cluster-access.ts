/** What of the way to the cluster stands in files; read after privileges were dropped, as the server user. */
import { decodeCertificates } from './credentials.ts';
import { readTextFile } from './file.ts';
import type { Options } from './options.ts';
import { ConfigError, problem } from './problem.ts';
import { DNS_LABEL } from './values.ts';

export interface ClusterAccess {
  /** Namespace of the jobs. */
  readonly namespace: string;
  /** PEM text of what to trust; undefined: the roots of the system. */
  readonly certificateAuthority: string | undefined;
}

/** Reads the CA file and, inside a cluster, the namespace file. Throws ConfigError naming the file. */
export function readClusterAccess(
  options: Pick<Options, 'certificateAuthority' | 'certificateAuthorityPath' | 'kubernetesNamespace' | 'namespacePath'>,
): ClusterAccess {
  const { certificateAuthorityPath: caPath, namespacePath } = options;
  const namespace =
    namespacePath === undefined
      ? options.kubernetesNamespace
      : decoded(namespacePath, 'kubernetes-namespace', DNS_LABEL.parse);
  const certificateAuthority =
    caPath === undefined ? options.certificateAuthority : decoded(caPath, 'certificate-authority', decodeCertificates);
  return { namespace, certificateAuthority };
}

function decoded(file: string, option: string, parse: typeof decodeCertificates): string {
  const text = readTextFile(file)?.text;
  const at = { file, line: 0 };
  if (text === undefined) throw new ConfigError('unreadable', [problem(at, option, 'there is no such file')]);
  const parsed = parse(text.trim());
  if (!parsed.ok) throw new ConfigError('wrong', [problem(at, option, `must be ${parsed.reason}`)]);
  return parsed.value;
}
