/** What the heap of a contestant holds. */
import { readFileSync } from 'node:fs';
import { PAGES } from '../../../src/system/loop-memory.ts';

/** MB (10^6 bytes) of the heap that are in use after a garbage collection (needs --expose-gc). */
export function heapInUse(): number {
  for (let round = 0; round < 3; round++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external - neverWritten()) / 1e6;
}

/**
 * Bytes of the memory of loops that were never written: V8 counts them as `external`, but the system has given no page for them.
 * 0 in a process without such a memory.
 */
function neverWritten(): number {
  const size = PAGES * 64;
  const mapping = new RegExp(`rw-p .*\\nSize: +${size} kB(?:\\n.*){2}\\nRss: +(\\d+) kB`).exec(
    readFileSync('/proc/self/smaps', 'utf8'),
  );
  return mapping === null ? 0 : (size - Number(mapping[1])) * 1024;
}
