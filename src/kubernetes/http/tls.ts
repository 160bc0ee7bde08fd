/** TLS trust: the configured certificate authority, else the certificates of the host. */
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

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
      if (!(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')))
        throw error;
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

/** Throws if `ca` holds no certificate. */
export function tlsSettings(options: TlsOptions): TlsSettings {
  const ca = options.ca ?? systemRoots();
  if (!ca.includes('-----BEGIN CERTIFICATE-----'))
    throw new TypeError('certificate-authority: no PEM certificate in it');
  return { ca, rejectUnauthorized: options.verify, secureContext: createSecureContext({ ca }) };
}
