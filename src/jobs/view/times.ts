/** Times as the API writes them, as milliseconds since 1970. */

/** The time that was read last: most of an object's are the same second. */
let last: { readonly text: string; readonly milliseconds: number | undefined } = { text: '', milliseconds: undefined };

/** Milliseconds since 1970 of an API time; undefined for none, and for 1970 itself, which means "never". */
export function time(text: string | undefined | null): number | undefined {
  if (text === undefined || text === null) return undefined;
  if (text !== last.text) {
    const milliseconds = WHOLE_SECONDS.test(text) ? wholeSeconds(text) : Date.parse(text);
    last = { text, milliseconds: Number.isNaN(milliseconds) || milliseconds === 0 ? undefined : milliseconds };
  }
  return last.milliseconds;
}

/** As nearly all times are written; they are most of what is read of a pod, and Date.parse takes twice as long. */
const WHOLE_SECONDS = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

function wholeSeconds(text: string): number {
  const two = (at: number): number => text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 11 * ZERO;
  return Date.UTC(two(0) * 100 + two(2), two(5) - 1, two(8), two(11), two(14), two(17));
}

/** Character code of the digit 0. */
const ZERO = 48;

export const newest = (...times: readonly (number | undefined)[]): number => Math.max(0, ...times.map((at) => at ?? 0));

/** The newest of the conditions' times; they are all written alike (UTC, whole seconds), and so compare as texts. */
export function newestTransition(conditions: readonly { readonly lastTransitionTime?: string }[]): number | undefined {
  let text = '';
  for (const { lastTransitionTime } of conditions) {
    if (lastTransitionTime && lastTransitionTime > text) text = lastTransitionTime;
  }
  return time(text);
}
