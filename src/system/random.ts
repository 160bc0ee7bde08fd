/** Random numbers and strings, passed in so that tests can repeat them. */
import { randomInt } from 'node:crypto';

/** Returns a random number in [0, 1), like Math.random. */
export type Random = () => number;

/** Unpredictable numbers, for names and ids. */
export const systemRandom: Random = () => randomInt(2 ** 47) / 2 ** 47;

/** Predictable numbers, for pauses. They do not need node:crypto, which takes 5 ms of a start. */
export const jitter: Random = Math.random;

/** `length` random characters of `alphabet` (default: lower-case letters and digits). */
export function randomText(random: Random, length: number, alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'): string {
  let text = '';
  for (let i = 0; i < length; i++) text += alphabet.charAt(Math.floor(random() * alphabet.length));
  return text;
}
