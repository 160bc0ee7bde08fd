/** X.509 certificates for tests, written as DER: ECDSA P-256 with SHA-256. A library for them takes longer to load than all else. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';

interface Certificate {
  readonly pem: string;
  /** PEM of the private key. */
  readonly key: string;
  readonly name: string;
  readonly privateKey: KeyObject;
}

interface CertificateOptions {
  /** Common name. */
  readonly name: string;
  /** Default: it signs itself. */
  readonly issuer?: Certificate;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Whether it signs other certificates. */
  readonly isAuthority?: boolean;
  /** DNS names and IP addresses. */
  readonly names?: readonly string[];
  readonly isServer?: boolean;
}

export function createCertificate(options: CertificateOptions): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { name, issuer = { name, privateKey }, notBefore, notAfter } = options;
  const tbs = sequence(
    der(0xa0, integer(2)),
    integer(issuer.name === name ? 1 : 2),
    ECDSA_WITH_SHA256,
    distinguishedName(issuer.name),
    sequence(utcTime(notBefore), utcTime(notAfter)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(options))),
  );
  const signature = sign('sha256', tbs, issuer.privateKey);
  const text = sequence(tbs, ECDSA_WITH_SHA256, bits(signature)).toString('base64');
  return {
    pem: `-----BEGIN CERTIFICATE-----\n${text.replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    name,
    privateKey,
  };
}

function* extensions({ isAuthority, isServer, names = [] }: CertificateOptions): Iterable<Buffer> {
  if (isAuthority === true) {
    yield extension('551d13', true, sequence(der(0x01, Buffer.of(0xff))));
    // digitalSignature and keyCertSign.
    yield extension('551d0f', true, bits(Buffer.of(0x84), 2));
  }
  if (isServer === true) yield extension('551d25', false, sequence(objectId('2b06010505070301')));
  if (names.length > 0) yield extension('551d11', false, sequence(...names.map(generalName)));
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(objectId(id), ...(isCritical ? [der(0x01, Buffer.of(0xff))] : []), der(0x04, value));
}

function generalName(name: string): Buffer {
  if (isIPv4(name)) return der(0x87, Buffer.from(name.split('.').map(Number)));
  if (!isIPv6(name)) return der(0x82, Buffer.from(name));
  if (name !== '::1') throw new Error(`cannot write the address ${name}`);
  return der(0x87, Buffer.from('00000000000000000000000000000001', 'hex'));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(objectId('550403'), der(0x0c, Buffer.from(commonName)))));
}

/** Years before 2050. */
function utcTime(date: Date): Buffer {
  const [year, ...rest] = date.toISOString().slice(2, 19).split(/\D/);
  return der(0x17, Buffer.from(`${year}${rest.join('')}Z`));
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.of(value));
}

function bits(bytes: Buffer, unused = 0): Buffer {
  return der(0x03, Buffer.of(unused), bytes);
}

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...items: readonly Buffer[]): Buffer {
  return der(0x30, ...items);
}

function der(tag: number, ...items: readonly Buffer[]): Buffer {
  const content = Buffer.concat(items);
  const { length } = content;
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(length < 0x80 ? [length] : long)]), content]);
}

const ECDSA_WITH_SHA256 = sequence(objectId('2a8648ce3d040302'));
