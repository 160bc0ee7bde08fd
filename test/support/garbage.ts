/** Garbage that a test collects, to see with a WeakRef that memory is released. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects all garbage. */
export async function collectAllGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collectNow: unknown = runInNewContext('globalThis.gc');
  for (let round = 0; round < 5; round++) {
    await new Promise(setImmediate);
    if (typeof collectNow === 'function') collectNow();
  }
}
