/** Base64 and base32 as Go's packages encode and decode them, with the position of the first wrong byte. */
import { GoError } from '../contract.ts';

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

const corrupt = (base: number, at: number): GoError => new GoError(`illegal base${base} data at input byte ${at}`);

/** Values of `bits` bits each, packed into bytes; what does not fill a byte is dropped. */
function packed(values: readonly number[], bits: number): Uint8Array {
  const bytes: number[] = [];
  let buffer = 0;
  let filled = 0;
  for (const value of values) {
    buffer = ((buffer << bits) | value) & 0xffff;
    filled += bits;
    if (filled >= 8) {
      filled -= 8;
      bytes.push((buffer >> filled) & 0xff);
    }
  }
  return Uint8Array.from(bytes);
}

/** Text without line breaks and errors. */
const PLAIN_BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Line breaks are skipped wherever they are. Takes one character for each byte. */
export function decodeBase64(source: string): Uint8Array {
  if (source.length % 4 === 0 && PLAIN_BASE64.test(source)) return Buffer.from(source, 'base64');
  const values: number[] = [];
  const skipBreaks = (from: number): number => {
    let at = from;
    while (source[at] === '\n' || source[at] === '\r') at++;
    return at;
  };
  let at = 0;
  // The place in a group of four characters.
  let place = 0;
  for (; at < source.length; at++) {
    const char = source[at] ?? '';
    if (char === '\n' || char === '\r') continue;
    const value = BASE64.indexOf(char);
    if (value >= 0) {
      values.push(value);
      place = (place + 1) % 4;
      continue;
    }
    if (char !== '=' || place < 2) throw corrupt(64, at);
    let next = at + 1;
    if (place === 2) {
      next = skipBreaks(next);
      if (next === source.length) throw corrupt(64, source.length);
      if (source[next] !== '=') throw corrupt(64, next - 1);
      next++;
    }
    next = skipBreaks(next);
    if (next < source.length) throw corrupt(64, next);
    return packed(values, 6);
  }
  if (place > 0) throw corrupt(64, source.length - place);
  return packed(values, 6);
}

export function encodeBase32(bytes: Uint8Array): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  const groups = bits.match(/.{1,5}/g) ?? [];
  const text = groups.map((group) => BASE32[Number.parseInt(group.padEnd(5, '0'), 2)]).join('');
  return text.padEnd(Math.ceil(text.length / 8) * 8, '=');
}

export function decodeBase32(source: string): Uint8Array {
  const text = source.replace(/[\r\n]/g, '');
  const values: number[] = [];
  for (let at = 0; at < text.length; ) {
    for (let place = 0; place < 8; place++) {
      if (at === text.length) throw corrupt(32, at - place);
      const char = text[at] ?? '';
      at++;
      const left = text.length - at;
      if (char === '=' && place >= 2 && left < 8) {
        if (left + place < 7) throw corrupt(32, text.length);
        for (let i = 0; i < 7 - place; i++) if (i < left && text[at + i] !== '=') throw corrupt(32, at + i - 1);
        if (place === 3 || place === 6) throw corrupt(32, at - 1);
        return packed(values, 5);
      }
      const value = BASE32.indexOf(char);
      if (value < 0) throw corrupt(32, at - 1);
      values.push(value);
    }
  }
  return packed(values, 5);
}
