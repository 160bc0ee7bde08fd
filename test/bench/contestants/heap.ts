/** MB (10^6 bytes) of the heap that are in use after a garbage collection (needs --expose-gc). */
export function heapInUse(): number {
  for (let round = 0; round < 3; round++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}
