/**
 * How the cluster is reached (configuration.md section 1): the configured cluster or the one around this pod, the accepted
 * forms of tokens and certificates, and the files that hold the token, the CA and the namespace.
 */
import { X509Certificate } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { fileError, type Naming, namingOf, readTextFile } from '../text/file.ts';
import { checkWriters, ownTrust } from '../text/file-trust.ts';
import { DNS_LABEL, type ParsedValue } from '../text/kinds.ts';
import { ConfigErrors, type Origin, type Problem, problem } from '../text/problem.ts';
import { isDirectory } from './file-search.ts';
import type { OptionName, OptionValues } from './option-table.ts';

/** The configured address and credentials; values as written. */
interface ClusterAddress {
  readonly inCluster: boolean;
  readonly apiUrl: string | undefined;
  readonly authToken?: string | undefined;
  readonly authTokenPath?: string | undefined;
  readonly certificateAuthority?: string | undefined;
  readonly certificateAuthorityPath?: string | undefined;
  readonly namespacePath?: string | undefined;
}

/** The environment, which shows whether the process runs in a pod. */
interface PodEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly serviceAccountDirectory?: string;
}

/**
 * Chooses between the configured cluster (with `api-url`) and the cluster of the pod that the plugin runs in. The latter
 * gives address, token and CA together, so that its token is never sent to another host. Opens no file.
 */
export function clusterAddress(
  values: OptionValues,
  given: ReadonlyMap<OptionName, Origin>,
  start: PodEnvironment,
): ClusterAddress {
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

/** Do the exceptions of `no-proxy` include this host? A domain includes its subdomains. */
export function isWithoutProxy(hostname: string, exceptions: readonly string[]): boolean {
  const host = withoutBrackets(hostname).toLowerCase();
  return exceptions.some((exception) => {
    const [network = '', bits] = withoutBrackets(exception).split('/');
    const family = isIP(network);
    if (family === 0) {
      const domain = network.startsWith('.') ? network : `.${network}`;
      return network === '*' || network === host || host.endsWith(domain);
    }
    const block = new BlockList();
    block.addSubnet(network, Number(bits ?? (family === 6 ? 128 : 32)), family === 6 ? 'ipv6' : 'ipv4');
    return isIP(host) !== 0 && block.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');
  });
}

const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

/** The files that belong to the access to the cluster, and where their options were written. */
interface ClusterFiles {
  readonly certificateAuthority: string | undefined;
  readonly certificateAuthorityPath: string | undefined;
  readonly namespacePath: string | undefined;
  readonly origins: ReadonlyMap<OptionName, Origin>;
}

export interface ClusterAccess {
  /** Namespace of the jobs. */
  readonly namespace: string;
  /** PEM certificates to trust; undefined: the system roots. */
  readonly certificateAuthority: string | undefined;
}

/**
 * Reads the CA file and, inside a cluster, the namespace file; called after privileges were dropped. Throws ConfigError
 * with the file and its option.
 */
export function readClusterAccess(options: ClusterFiles & { readonly kubernetesNamespace: string }): ClusterAccess {
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
  const by = namingOf(origins, option);
  const parsed = parse(readClusterFile(file, by));
  const at = by ?? { file, line: 0, option };
  if (!parsed.ok) throw fileError('invalid', file, at, `must be ${parsed.reason}`);
  return parsed.value;
}

/** What to do if a pod has no token, CA or namespace of its service account. */
export const MOUNT_SERVICE_ACCOUNT =
  'let Kubernetes mount the service account into this pod: automountServiceAccountToken: true; or set api-url';

/** A file that an option names (`by`), or one of the service account of this pod. */
function readClusterFile(file: string, by: Naming | undefined): string {
  const found = readTextFile(file, by);
  if (found !== undefined) return found.text.trim();
  throw fileError('unreadable', file, by, 'does not exist', undefined, by ? undefined : MOUNT_SERVICE_ACCOUNT);
}

/** Reads the token file (`auth-token-path`). Throws ConfigError if it has no token. */
export function readTokenFile(file: string, { origins }: Pick<ClusterFiles, 'origins'>): string {
  const by = namingOf(origins, 'auth-token-path');
  const token = readClusterFile(file, by);
  if (token === '') throw fileError('invalid', file, by, 'contains no token');
  return token;
}

/**
 * Warnings about who can read the token file and change the files of the access to the cluster; not inside a cluster, where
 * no option names them. Throws ConfigError if every user can change one of them.
 */
export function clusterFileWarnings(
  options: Pick<ClusterFiles, 'certificateAuthorityPath' | 'origins'> & {
    readonly authTokenPath: string | undefined;
    readonly strictFiles: boolean;
  },
): readonly Problem[] {
  const { authTokenPath, certificateAuthorityPath, origins, strictFiles } = options;
  const errors = new ConfigErrors();
  const warnings: Problem[] = [];
  const files = [
    [authTokenPath, 'auth-token-path'],
    [certificateAuthorityPath, 'certificate-authority'],
  ] as const;
  for (const [file, option] of files) {
    const by = namingOf(origins, option);
    if (file === undefined || by === undefined) continue;
    const writers = checkWriters(file, by, ownTrust(strictFiles));
    errors.add(writers.problems);
    warnings.push(...writers.warnings);
    if (option === 'auth-token-path' && ((readTextFile(file)?.mode ?? 0) & 0o004) !== 0) {
      warnings.push(problem(by, option, `every user of this host can read the token in ${file}`, `chmod o-r ${file}`));
    }
  }
  const error = errors.combined();
  if (error !== undefined) throw error;
  return warnings;
}

const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const PRINTABLE_WORD = /^[\u0021-\u007e]+$/;

/**
 * Decodes a token: strict base64 of printable text without spaces is decoded, as the documentation writes tokens in base64;
 * a JWT and everything else is used as it is. No reason contains the token.
 */
export function decodeToken(text: string): ParsedValue<string> {
  if (!PRINTABLE_WORD.test(text)) {
    return { ok: false, reason: 'a token: printable characters without whitespace (the value is not shown)' };
  }
  if (JWT.test(text)) return { ok: true, value: text };
  const decoded = strictBase64(text)?.toString('latin1');
  return { ok: true, value: decoded !== undefined && PRINTABLE_WORD.test(decoded) ? decoded : text };
}

/** The bytes of padded, canonical base64; undefined for anything else. */
function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined;
}

const PEM_BEGIN = /-----BEGIN ([A-Z0-9 ]{1,64})-----/g;

/**
 * Decodes one or more certificates from PEM or from base64 of PEM, with or without line breaks, to PEM with line breaks.
 * A text without a usable certificate is refused; the reason never contains it.
 */
export function decodeCertificates(text: string): ParsedValue<string> {
  const pem = text.includes('-----BEGIN') ? text : Buffer.from(text.replace(/\s+/g, ''), 'base64').toString('latin1');
  const found: string[] = [];
  for (const { label, body } of pemBlocks(pem)) {
    if (label.includes('PRIVATE KEY')) return refused('it contains a private key, which must not be here');
    if (!label.endsWith('CERTIFICATE')) continue;
    const base64 = body.replace(/\\n|\s+/g, '');
    const certificate = `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
    if (!isCertificate(certificate)) return refused(`block ${found.length + 1} is not a certificate`);
    found.push(certificate);
  }
  if (found.length === 0) return refused('it contains no BEGIN CERTIFICATE');
  return { ok: true, value: found.join('') };
}

/** The blocks of a PEM text, in linear time; the text after a block without an end is ignored. */
function* pemBlocks(pem: string): Generator<{ readonly label: string; readonly body: string }> {
  let from = 0;
  for (const { 0: begin, 1: label = '', index } of pem.matchAll(PEM_BEGIN)) {
    if (index < from) continue;
    const end = pem.indexOf(`-----END ${label}-----`, index);
    if (end < 0) return;
    from = end;
    yield { label, body: pem.slice(index + begin.length, end) };
  }
}

function refused(why: string): ParsedValue<string> {
  return {
    ok: false,
    reason: `base64 of a PEM certificate, a PEM certificate, or an absolute path to a PEM file: ${why}`,
  };
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
