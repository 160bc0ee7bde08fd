/** Certificates with something wrong about them. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

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

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const days = (count: number): Date => new Date(Date.now() + count * 86_400_000);

export async function issue({
  names = ['127.0.0.1'],
  authority = 'an authority',
  from = -100,
  until = 100,
}: Wanted = {}) {
  cryptoProvider.set(webcrypto);
  const caKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const ca = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${authority}`,
    notBefore: days(-1000),
    notAfter: days(1000),
    signingAlgorithm: ALGORITHM,
    keys: caKeys,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const server = await X509CertificateGenerator.create({
    serialNumber: '02',
    subject: 'CN=kube-apiserver',
    issuer: ca.subject,
    notBefore: days(from),
    notAfter: days(until),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: /^[\d.]+$/.test(value) ? ('ip' as const) : ('dns' as const), value })),
      ),
    ],
  });
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  const identity: Identity = { ca: ca.toString('pem'), cert: server.toString('pem'), key };
  return identity;
}

/** The day of a certificate that is `count` days away. */
export function day(count: number): string {
  return days(count).toISOString().slice(0, 10);
}
