/** Whom to trust: the configured authority, else that of the host. */
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

export interface TlsOptions {
  /** PEM of the certificates to trust instead of the system's. */
  readonly ca?: string | undefined;
  /** false: nothing is verified, for WebSockets neither. */
  readonly verify: boolean;
}

/** Where hosts keep the certificates they trust, in the order in which Go looks. */
const SYSTEM_BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** The host's certificates; the runtime's own only where the host has no bundle (engineering-notes.md section 1). */
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

/** What every TLS connection of the client is given, explicitly, so that the environment cannot change it. */
export interface TlsSettings {
  readonly ca: string;
  readonly rejectUnauthorized: boolean;
  /** Made once: parsing a bundle of 150 certificates for each connection costs more than the handshake. */
  readonly secureContext: SecureContext;
}

/** Throws if `ca` holds no certificate. */
export function tlsSettings(options: TlsOptions): TlsSettings {
  const ca = options.ca ?? systemRoots();
  if (!ca.includes('-----BEGIN CERTIFICATE-----'))
    throw new TypeError('certificate-authority: no PEM certificate in it');
  return { ca, rejectUnauthorized: options.verify, secureContext: createSecureContext({ ca }) };
}
