/**
 * How long a replay waits for what came in time in the recording. What is as recorded waits for nothing.
 */

/** How long an answer may take to become the recorded one: as long as a busy machine may need. */
export const PATIENCE_MS = 3000;
export const POLL_MS = 25;
/** How long a connection may take that the recorder closed some time after it stood. */
export const CONNECT_MS = 400;
/** How long a stream may go on beyond the recorded end, and any other answer in all. */
export const LIMIT_MS = 6000;

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @throws Error after `ms` */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no end of the answer')), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Whether it became true in time. */
export async function became(wanted: () => boolean, patienceMs = PATIENCE_MS): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  while (!wanted()) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
