/**
 * The cluster's own certificate authority and the certificate of its API server, made at every start.
 */
import { createCertificate } from '../support/certificate.ts';

export interface ServerIdentity {
  /** PEM of the authority that signed the server's certificate. */
  readonly ca: string;
  /** PEM of the server's certificate and of its private key. */
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 24 * 3600 * 1000;
const NAMES = ['localhost', '127.0.0.1', '::1', 'kubernetes', 'kubernetes.default.svc'];

/** @param names DNS names and IP addresses the server is reached by */
export function createIdentity(names: readonly string[] = NAMES): ServerIdentity {
  const dates = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + 365 * DAY_MS) };
  const issuer = createCertificate({ ...dates, name: 'simulated-cluster-ca', isAuthority: true });
  const server = createCertificate({ ...dates, name: 'kube-apiserver', issuer, names, isServer: true });
  return { ca: issuer.pem, cert: server.pem, key: server.key };
}
