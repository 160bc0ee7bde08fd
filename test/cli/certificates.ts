/** Certificates with something wrong about them. */
import { createCertificate } from '../support/certificate.ts';

export interface Identity {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

interface Wanted {
  readonly names?: readonly string[];
  /** Common name of the authority. */
  readonly authority?: string;
  /** Days from now; the server's certificate is valid between. */
  readonly from?: number;
  readonly until?: number;
}

const days = (count: number): Date => new Date(Date.now() + count * 86_400_000);

export function issue({
  names = ['127.0.0.1'],
  authority = 'an authority',
  from = -100,
  until = 100,
}: Wanted = {}): Identity {
  const ca = createCertificate({ name: authority, notBefore: days(-1000), notAfter: days(1000), isAuthority: true });
  const dates = { notBefore: days(from), notAfter: days(until) };
  const server = createCertificate({ ...dates, name: 'kube-apiserver', issuer: ca, names });
  return { ca: ca.pem, cert: server.pem, key: server.key };
}

/** The day of a certificate that is `count` days away. */
export function day(count: number): string {
  return days(count).toISOString().slice(0, 10);
}
