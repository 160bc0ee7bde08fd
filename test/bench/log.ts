/** A line of a container's log, about 100 bytes with its newline. */
const LOG_LINE = Buffer.from(
  `${'iteration 000421: loss 0.693147, accuracy 0.87, 1234 rows/s; é und 日本 '.padEnd(90, '.')}\n`,
);

const LINES = 8_000;
/** Length of `2026-11-23T18:40:12.123456789Z `. */
const STAMP = 31;
/** Before a line of a block: its HTTP chunk's length. */
const CHUNK_HEAD = Buffer.from(`${(STAMP + LOG_LINE.length).toString(16)}\r\n`);
const CHUNK_END = Buffer.from('\r\n');
const PIECE = CHUNK_HEAD.length + STAMP + LOG_LINE.length + CHUNK_END.length;

/** Bytes of log, without stamps, in a block. */
export const BLOCK_BYTES = LINES * LOG_LINE.length;
/** The same with stamps. */
export const STAMPED_BLOCK_BYTES = LINES * (STAMP + LOG_LINE.length);

/**
 * Blocks of lines as a kubelet sends them to a follower: each with its stamp, and in an HTTP chunk of its own (kubernetes-facts.md 87,
 * 88), chunked already, because the server would be what is measured otherwise. Times never go back. Measured on v1.20.2
 * too: a follow has one line a chunk and one chunk a TLS record however fast the log is, what was written before it
 * included (92,000 lines a second); only an answer that does not follow has chunks of 2048 bytes.
 */
export function logBlocks(): () => Buffer {
  const stamps = Array.from(
    { length: LINES },
    (_, line) => `2026-11-23T00:00:00.${String(line).padStart(6, '0')}000Z `,
  );
  const bytes = Buffer.concat(stamps.flatMap((stamp) => [CHUNK_HEAD, Buffer.from(stamp), LOG_LINE, CHUNK_END]));
  let block = 0;
  return () => {
    // A second a block.
    const time = new Date(block++ * 1000).toISOString().slice(11, 19);
    const copy = Buffer.from(bytes);
    for (let at = CHUNK_HEAD.length + 11; at < copy.length; at += PIECE) copy.write(time, at, 'latin1');
    return copy;
  };
}
