/** A line of a container's log, about 100 bytes with its newline. */
export const LOG_LINE = Buffer.from(
  `${'iteration 000421: loss 0.693147, accuracy 0.87, 1234 rows/s; é und 日本 '.padEnd(90, '.')}\n`,
);

const LINES = 8_000;
/** Length of `2026-11-23T18:40:12.123456789Z `. */
const STAMP = 31;

/** Blocks of lines; `stamped` ones carry times that never go back. */
export function logBlock(stamped: boolean): { readonly lines: number; readonly next: () => Buffer } {
  const stamps = Array.from(
    { length: LINES },
    (_, line) => `2026-11-23T00:00:00.${String(line).padStart(6, '0')}000Z `,
  );
  const bytes = Buffer.concat(stamps.flatMap((stamp) => (stamped ? [Buffer.from(stamp), LOG_LINE] : [LOG_LINE])));
  let block = 0;
  return {
    lines: LINES,
    next: () => {
      // A second a block.
      const time = new Date(block++ * 1000).toISOString().slice(11, 19);
      const copy = Buffer.from(bytes);
      if (stamped) {
        for (let at = 11; at < copy.length; at += STAMP + LOG_LINE.length) copy.write(time, at, 'latin1');
      }
      return copy;
    },
  };
}
