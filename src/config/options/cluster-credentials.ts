/** The lenient forms in which tokens and certificates are written (configuration.md section 1, "Details that matter"). */
import { X509Certificate } from 'node:crypto';
import type { Parsed } from '../text/values.ts';

const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const PRINTABLE_WORD = /^[\u0021-\u007e]+$/;

/**
 * The token that is meant: a JWT is taken as it is; what is strict base64 of printable text without spaces is decoded
 * (the documentation says base64, its own command decodes); everything else is taken as it is. No reason holds the token.
 */
export function decodeToken(text: string): Parsed<string> {
  if (!PRINTABLE_WORD.test(text)) {
    return { ok: false, reason: 'a token: printable characters without blanks (its value is not shown)' };
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

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+?)-----([\s\S]*?)-----END \1-----/g;

/**
 * PEM certificates, one or more, from base64 of PEM, or from PEM, each with or without its line breaks. The result is
 * PEM with all line breaks; a text without a usable certificate is refused, saying why and never showing it.
 */
export function decodeCertificates(text: string): Parsed<string> {
  const pem = text.includes('-----BEGIN') ? text : Buffer.from(text.replace(/\s+/g, ''), 'base64').toString('latin1');
  const found: string[] = [];
  for (const [, label = '', body = ''] of pem.matchAll(PEM_BLOCK)) {
    if (label.includes('PRIVATE KEY')) return refused('it holds a private key, which does not belong here');
    if (!label.endsWith('CERTIFICATE')) continue;
    const base64 = body.replace(/\\n|\s+/g, '');
    const certificate = `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
    if (!isCertificate(certificate)) return refused(`block ${found.length + 1} is not a certificate`);
    found.push(certificate);
  }
  if (found.length === 0) return refused('no BEGIN CERTIFICATE was found in it');
  return { ok: true, value: found.join('') };
}

function refused(why: string): Parsed<string> {
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
