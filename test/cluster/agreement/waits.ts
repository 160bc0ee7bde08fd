/**
 * How long a replay waits for what came in time in the recording.
 */

/** How long an answer may take to become the recorded one. */
export const PATIENCE_MS = 600;
export const POLL_MS = 40;
/** How long a stream may take to its end; any other answer has twice as long. */
export const STREAM_LIMIT_MS = 3000;

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
