/** sprig's functions of package crypto that need no randomness, and its encodings. */
import { createDecipheriv, createHash, createHmac } from 'node:crypto';
import { byteLength, fromBytes, toBytes } from '../bytes.ts';
import { GoError } from '../contract.ts';
import { define, type Parameter, string } from '../definition.ts';
import { type Context, type GoFunction, numberOf } from '../values.ts';
import { decodeBase32, decodeBase64, encodeBase32 } from './go-encodings.ts';

const uint32: Parameter<number> = { type: 'uint32', read: (value) => Number(numberOf(value) ?? 0) };

const hash = (algorithm: string) => (text: string) => createHash(algorithm).update(toBytes(text)).digest('hex');

function adler32(text: string): number {
  let a = 1;
  let b = 0;
  for (const byte of toBytes(text)) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

/** One character for each byte. */
const asLatin1 = (text: string): string => Buffer.from(toBytes(text)).toString('latin1');

/** What sprig writes for a text that does not decode: the error. */
function decoded(decode: (source: string) => Uint8Array, text: string): string {
  try {
    return fromBytes(decode(asLatin1(text)));
  } catch (error) {
    if (error instanceof GoError) return error.message;
    throw error;
  }
}

const SEED = 'com.lyndir.masterpassword';

/** Kinds of characters of a password, by the letters of its pattern. */
const CHARACTERS: ReadonlyMap<string, string> = new Map([
  ['V', 'AEIOU'],
  ['C', 'BCDFGHJKLMNPQRSTVWXYZ'],
  ['v', 'aeiou'],
  ['c', 'bcdfghjklmnpqrstvwxyz'],
  ['a', 'AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz'],
  ['n', '0123456789'],
  ['o', "@&%?,=[]_:-+*$#!'^~;()/."],
  ['x', 'AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()'],
]);

/** Patterns of the Master Password algorithm. */
const PATTERNS: ReadonlyMap<string, readonly string[]> = new Map([
  ['maximum', ['anoxxxxxxxxxxxxxxxxx', 'axxxxxxxxxxxxxxxxxno']],
  [
    'long',
    (
      'CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv ' +
      'CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv ' +
      'CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno'
    ).split(' '),
  ],
  ['medium', ['CvcnoCvc', 'CvcCvcno']],
  ['short', ['Cvcn']],
  ['basic', ['aaanaaan', 'aannaaan', 'aaannaaa']],
  ['pin', ['nnnn']],
]);

function uint32Bytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

interface DerivedPassword {
  readonly counter: number;
  readonly type: string;
  readonly password: string;
  readonly user: string;
  readonly site: string;
}

function derivePassword({ counter, type, password, user, site }: DerivedPassword, { deriveKey }: Context): string {
  const patterns = PATTERNS.get(type);
  if (patterns === undefined) return `cannot find password template ${type}`;
  const salt = Buffer.concat([Buffer.from(SEED), uint32Bytes(byteLength(user)), toBytes(user)]);
  const key = deriveKey(toBytes(password), salt);
  const message = [Buffer.from(SEED), uint32Bytes(byteLength(site)), toBytes(site), uint32Bytes(counter)];
  const seed = createHmac('sha256', key).update(Buffer.concat(message)).digest();
  const pattern = patterns[(seed[0] ?? 0) % patterns.length] ?? '';
  return [...pattern]
    .map((kind, i) => {
      const characters = CHARACTERS.get(kind) ?? '';
      return characters[(seed[i + 1] ?? 0) % characters.length];
    })
    .join('');
}

/** AES-256-CBC with the password as the key and the initialization vector in front. */
function decryptAes(password: string, text: string): string {
  if (text === '') return '';
  const key = Buffer.alloc(32);
  key.set(toBytes(password).subarray(0, 32));
  const bytes = decodeBase64(asLatin1(text));
  if (bytes.length < 16)
    throw new GoError(
      `runtime error: slice bounds out of range [:16] with capacity ${Math.floor(text.length / 4) * 3}`,
    );
  if (bytes.length % 16 !== 0) throw new GoError('crypto/cipher: input not full blocks');
  if (bytes.length === 16) throw new GoError('runtime error: index out of range [-1]');
  const decipher = createDecipheriv('aes-256-cbc', key, bytes.subarray(0, 16)).setAutoPadding(false);
  const plain = Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]);
  const length = plain.length - (plain.at(-1) ?? 0);
  if (length < 0) throw new GoError(`runtime error: slice bounds out of range [:${length}]`);
  return fromBytes(plain.subarray(0, length));
}

export const CRYPTO_FUNCTIONS: readonly GoFunction[] = [
  ...define('sha1sum', [string], ([text]) => hash('sha1')(text)),
  ...define('sha256sum', [string], ([text]) => hash('sha256')(text)),
  ...define('sha512sum', [string], ([text]) => hash('sha512')(text)),
  ...define('adler32sum', [string], ([text]) => String(adler32(text))),
  ...define(
    'derivePassword',
    [uint32, string, string, string, string],
    ([counter, type, password, user, site], context) =>
      derivePassword({ counter, type, password, user, site }, context),
  ),
  ...define('decryptAES', [string, string], ([password, text]) => decryptAes(password, text)),
  ...define('b64enc', [string], ([text]) => Buffer.from(toBytes(text)).toString('base64')),
  ...define('b64dec', [string], ([text], context) => context.decoded(text, decoded(decodeBase64, text))),
  ...define('b32enc', [string], ([text]) => encodeBase32(toBytes(text))),
  ...define('b32dec', [string], ([text], context) => context.decoded(text, decoded(decodeBase32, text))),
];
