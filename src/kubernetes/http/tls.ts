/** TLS trust: the configured certificate authority, else the certificates of the host. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { errorCode } from '../../system/errors.ts';

export interface TlsOptions {
  /** Certificates in PEM to trust instead of the host's. */
  readonly ca?: string | undefined;
  /** false: no certificate is verified, for WebSockets either. */
  readonly verify: boolean;
}

/** Certificate bundles of Linux distributions, in Go's order. */
const SYSTEM_BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** The host's certificates; those of Node.js if the host has no bundle (engineering-notes.md section 1). */
export function systemRoots(bundles: readonly string[] = SYSTEM_BUNDLES): string {
  for (const bundle of bundles) {
    try {
      const pem = readFileSync(bundle, 'utf8');
      if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR'].includes(errorCode(error))) throw error;
    }
  }
  return rootCertificates.join('\n');
}

/** Options of every TLS connection; explicit, so that the environment cannot change them. */
export interface TlsSettings {
  readonly ca: string;
  readonly rejectUnauthorized: boolean;
  /** Created once, because parsing 150 certificates costs more than a handshake. */
  readonly secureContext: SecureContext;
}

/** Throws a TypeError if `ca` contains a malformed certificate or none. */
export function tlsSettings(options: TlsOptions): TlsSettings {
  const ca = options.ca === undefined ? hostCertificates() : configuredCertificates(options.ca);
  // An intermediate authority, or the server's own certificate, is a trust anchor, as for kubectl.
  const secureContext = createSecureContext({ ca, allowPartialTrustChain: true });
  return { ca, rejectUnauthorized: options.verify, secureContext };
}

/** A malformed certificate of the host is skipped: OpenSSL would ignore all certificates after it. */
function hostCertificates(): string {
  return blocksOf(systemRoots()).filter(isCertificate).join('');
}

function configuredCertificates(pem: string): string {
  const blocks = blocksOf(pem);
  if (blocks.length === 0) throw new TypeError('certificate-authority: it contains no PEM certificate');
  const malformed = blocks.findIndex((block) => !isCertificate(block));
  if (malformed !== -1)
    throw new TypeError(`certificate-authority: certificate ${malformed + 1} of ${blocks.length} is malformed`);
  return blocks.join('');
}

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

/** The certificates of a PEM bundle, each up to its END line. */
function blocksOf(pem: string): readonly string[] {
  return pem
    .split(BEGIN)
    .slice(1)
    .map((text) => `${BEGIN}${text.split(END, 1)[0]}${END}\n`);
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0;
  } catch {
    return false;
  }
}
