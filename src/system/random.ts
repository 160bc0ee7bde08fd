/** Randomness, passed in where it is needed. */
import { randomInt } from 'node:crypto';

/** A random number of [0, 1), as Math.random gives it. Passed in, so that tests can repeat themselves. */
export type Random = () => number;

/** Unpredictable numbers; names and ids are made from them. */
export const systemRandom: Random = () => randomInt(2 ** 47) / 2 ** 47;

/** `length` characters of `alphabet` (default: lower-case letters and digits). */
export function randomText(random: Random, length: number, alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'): string {
  let text = '';
  for (let i = 0; i < length; i++) text += alphabet.charAt(Math.floor(random() * alphabet.length));
  return text;
}
