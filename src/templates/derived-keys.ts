/**
 * Keys of `derivePassword`, which takes 100 ms of CPU by design: computed at once, or by another thread while the rendering
 * that asked for them waits and begins again.
 */
import { type ScryptOptions, scrypt, scryptSync } from 'node:crypto';
import { GoError } from './contract.ts';
import type { DeriveKey } from './values.ts';

/** The parameters of the Master Password algorithm. */
const PARAMETERS: ScryptOptions = { N: 32768, r: 8, p: 2, maxmem: 128 * 1024 * 1024 };
const KEY_BYTES = 64;

export const deriveKeyAtOnce: DeriveKey = (password, salt) => scryptSync(password, salt, KEY_BYTES, PARAMETERS);

/** The rendering begins again when the key is there. */
export class PendingKey extends Error {
  override readonly name = 'PendingKey';
  readonly ready: Promise<void>;

  constructor(ready: Promise<void>) {
    super('the key is being derived');
    this.ready = ready;
  }
}

/** Different keys of one rendering. */
const MOST_KEYS = 4;

/** The keys of one rendering. */
export class DerivedKeys {
  readonly #keys = new Map<string, Uint8Array>();

  /** Throws PendingKey for a key that was not asked for before. */
  readonly derive: DeriveKey = (password, salt) => {
    const id = `${Buffer.from(password).toString('hex')} ${Buffer.from(salt).toString('hex')}`;
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    if (this.#keys.size >= MOST_KEYS) throw new GoError(`a template derives more than ${MOST_KEYS} passwords`);
    throw new PendingKey(
      new Promise((resolve, reject) => {
        scrypt(password, salt, KEY_BYTES, PARAMETERS, (error, key) => {
          if (error !== null) return reject(error);
          this.#keys.set(id, key);
          resolve();
        });
      }),
    );
  };
}
