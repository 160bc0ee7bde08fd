/**
 * What a terminal sends, as names of keys. Without a timer: a terminal writes the bytes of a key at once, so an escape
 * that nothing follows is the key of that name.
 */
const KEY = /\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])|./gsu;

const NAMES: ReadonlyMap<string, string> = new Map([
  ['\u001b[A', 'up'],
  ['\u001bOA', 'up'],
  ['\u001b[B', 'down'],
  ['\u001bOB', 'down'],
  ['\u001b[5~', 'page up'],
  ['b', 'page up'],
  ['\u001b[6~', 'page down'],
  [' ', 'page down'],
  ['\u001b', 'escape'],
  ['\u0003', 'q'],
  ['h', '?'],
]);

/** The keys of one piece of input; a key without a name is what the terminal sent for it. */
export function keysOf(input: string): readonly string[] {
  return (input.match(KEY) ?? []).map((key) => NAMES.get(key) ?? key);
}
