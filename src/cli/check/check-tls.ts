/** Step of `check` about TLS: the certificate chain, its name and its dates, with the client's settings. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { ClusterAccess } from '../../config/options/cluster.ts';
import type { Options } from '../../config/options/options.ts';
import { OUT_OF_DATE, tlsPlace } from '../../jobs/connect.ts';
import { tlsSettings } from '../../kubernetes/http/tls.ts';
import type { Clock } from '../../system/clock.ts';
import { codeOrText } from '../../system/errors.ts';
import { type Endpoint, throughProxy } from './check-network.ts';
import { type Checked, type Finding, failure, ok, only, warning } from './check-report.ts';

const HANDSHAKE_MS = 4_000;
const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;

/** The certificates that the server sent, and the result of their verification (`''`: valid). */
interface Shown {
  readonly chain: readonly X509Certificate[];
  readonly problem: string;
}

export async function checkTls(
  endpoint: Endpoint,
  options: Pick<Options, 'verifySslCerts' | 'certificateAuthorityPath' | 'origins'>,
  access: ClusterAccess,
  clock: Clock,
): Promise<Checked<true>> {
  if (!endpoint.isTls) return only(ok('not used, because api-url is http'));
  const shown = await handshake(endpoint, access.certificateAuthority, clock);
  if (typeof shown === 'string') return { findings: [located(noHandshake(endpoint, shown), tlsPlace(shown, options))] };
  const finding = located(judge(endpoint, shown, access, clock.now()), tlsPlace(shown.problem, options));
  if (options.verifySslCerts) return { findings: [finding], value: finding.status === 'failed' ? undefined : true };
  const said = finding.status === 'failed' ? `; verification would fail: ${finding.found}` : '';
  return only(
    warning(
      `certificates are not verified (verify-ssl-certs=0)${said}`,
      finding.remedy ?? 'remove verify-ssl-certs=0 from the options file',
    ),
  );
}

/** A failure with the line of its option. */
function located(finding: Finding, at: string): Finding {
  return finding.status === 'failed' ? { ...finding, found: `${at}: ${finding.found}` } : finding;
}

/** A TLS handshake without verification, through the proxy if there is one; the code of the error if it fails. */
async function handshake(
  { host, port, url, proxy }: Endpoint,
  ca: string | undefined,
  clock: Clock,
): Promise<Shown | string> {
  const tunnel = proxy && (await throughProxy(url, proxy.url, clock).catch(codeOrText));
  if (typeof tunnel === 'string') return tunnel;
  return await new Promise((resolve) => {
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({
      ...tlsSettings({ ca, verify: false }),
      ...servername,
      ...(tunnel === undefined ? { host, port } : { host, socket: tunnel }),
      ALPNProtocols: ['http/1.1'],
    });
    const cancel = clock.after(HANDSHAKE_MS, () => done('TIMEOUT'));
    const done = (result: Shown | string): void => {
      cancel();
      socket.destroy();
      resolve(result);
    };
    socket.once('secureConnect', () => done({ chain: chainOf(socket), problem: problemOf(socket) }));
    socket.once('error', (error) => done(codeOrText(error)));
    socket.once('close', () => done('ECONNRESET'));
  });
}

/** The certificates that the server sent, its own first. */
function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (
    let next = socket.getPeerX509Certificate();
    next !== undefined && chain.length < 8;
    next = next.issuerCertificate
  ) {
    if (chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)) break;
    chain.push(next);
  }
  return chain;
}

/** Node.js sets a code here, although the types say Error. */
function problemOf({ authorizationError }: TLSSocket): string {
  const error: unknown = authorizationError;
  return error instanceof Error ? codeOrText(error) : error === null || error === undefined ? '' : String(error);
}

function noHandshake({ text }: Endpoint, code: string): Finding {
  if (code === 'TIMEOUT') {
    return failure(
      `${text} accepts connections, but the TLS handshake did not finish within ${HANDSHAKE_MS / 1000} s`,
      'correct the port in api-url if another service uses it; otherwise look for a proxy or firewall that lets the connection wait',
    );
  }
  if (/WRONG_VERSION|PACKET_LENGTH|EPROTO|UNKNOWN_PROTOCOL|HTTP_REQUEST/.test(code)) {
    return failure(
      `${text} does not speak TLS (${code})`,
      'correct the port or the scheme of api-url: this is not the TLS port of an API server',
    );
  }
  const found = `${text} ended the TLS handshake (${code})`;
  return failure(
    found,
    'correct api-url: the port may belong to a proxy that needs a server name or a client certificate',
  );
}

function judge(endpoint: Endpoint, { chain, problem }: Shown, access: ClusterAccess, now: number): Finding {
  const [own] = chain;
  if (own === undefined)
    return failure(`${endpoint.text} showed no certificate`, 'correct api-url: it must name the API server itself');
  if (OUT_OF_DATE.has(problem)) return outOfDate(chain, now);
  if (problem === 'ERR_TLS_CERT_ALTNAME_INVALID') return wrongName(endpoint, own);
  if (problem !== '') return unknownIssuer(endpoint, chain, problem, access);
  const ends = Math.min(...chain.map(({ validTo }) => Date.parse(validTo)));
  const found = `${nameOf(own.subject)}, issued by ${nameOf(own.issuer)}, valid until ${day(ends)}`;
  if (ends - now > SOON_MS) return ok(found);
  return warning(
    `${found}: in ${Math.floor((ends - now) / DAY_MS)} days`,
    'renew it (kubeadm certs renew apiserver, or as your distribution does)',
  );
}

function outOfDate(chain: readonly X509Certificate[], now: number): Finding {
  const bad = chain.find((each) => Date.parse(each.validTo) < now || Date.parse(each.validFrom) > now);
  const which = bad ?? chain[0];
  const subject = nameOf(which?.subject ?? '');
  if (which !== undefined && Date.parse(which.validFrom) > now) {
    return failure(
      `the certificate of ${subject} is valid from ${day(Date.parse(which.validFrom))} on, which is in the future`,
      'correct the clock of this host: timedatectl',
    );
  }
  const found = `the certificate of ${subject} expired on ${day(Date.parse(which?.validTo ?? ''))}`;
  return failure(
    found,
    'renew it on the cluster (kubeadm certs renew all, or as your distribution does), and check the clock of this host (timedatectl)',
  );
}

function wrongName({ host }: Endpoint, own: X509Certificate): Finding {
  const names = (own.subjectAltName ?? '').split(', ').map((name) => name.replace(/^(DNS|IP Address):/, ''));
  const found = `the certificate is not for ${host}, but for ${names.filter(Boolean).join(', ') || 'no name at all'}`;
  return failure(
    found,
    `use one of these names in api-url, or issue the certificate for ${host} too (kubeadm: apiServer.certSANs)`,
  );
}

/** The issuer is not trusted. */
function unknownIssuer(
  { text, isInPod }: Endpoint,
  chain: readonly X509Certificate[],
  problem: string,
  { certificateAuthority: ca, namespace }: ClusterAccess,
): Finding {
  const trusted = ca === undefined ? [] : certificatesOf(ca);
  // The part of the chain that the server sent, without the trusted certificates that TLS adds.
  const sent = chain.filter((each) => !trusted.some(({ fingerprint256 }) => fingerprint256 === each.fingerprint256));
  const last = sent.at(-1);
  const issuer = nameOf(last?.issuer ?? '');
  const names = trusted.map(({ subject }) => nameOf(subject));
  const found =
    ca === undefined
      ? `${text} sends a certificate issued by ${issuer}, which this host does not trust (${problem})`
      : `it contains ${names.join('; ')}, but the certificate of ${text} was issued by ${names.includes(issuer) ? 'another CA with the name ' : ''}${issuer} (${problem})`;
  const shown = sent.map(
    ({ subject, issuer: by, validTo }, index) =>
      `${index}: ${nameOf(subject)}, issued by ${nameOf(by)}, until ${day(Date.parse(validTo))}`,
  );
  if (isInPod) {
    const remedy = `delete this pod, so that Kubernetes makes a new one with the CA that it has now: kubectl -n ${namespace} get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}'; if the CA is the same, a proxy on the way shows a certificate of its own`;
    return failure(found, remedy, shown);
  }
  if (last === undefined || last.subject !== last.issuer) {
    const remedy = `set certificate-authority to the cluster's CA, which the server does not send: kubectl -n ${namespace} get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' | base64 -w0`;
    return failure(found, remedy, shown);
  }
  const remedy =
    "compare the fingerprint with your cluster's CA; if it is the same, put this line into the options file";
  const line = `certificate-authority=${Buffer.from(last.toString()).toString('base64')}`;
  return failure(found, remedy, [...shown, `SHA-256 of ${nameOf(last.subject)}: ${last.fingerprint256}`, line]);
}

/** The certificates of a PEM bundle. */
function certificatesOf(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** `CN=kube-apiserver, O=x` from one part a line. */
function nameOf(subject: string): string {
  return subject.split('\n').join(', ') || 'an issuer without a name';
}

function day(ms: number): string {
  return Number.isNaN(ms) ? 'an unknown day' : new Date(ms).toISOString().slice(0, 10);
}
