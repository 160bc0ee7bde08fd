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
  // These do nothing, but have names.
  ['\u001b[C', 'right'],
  ['\u001bOC', 'right'],
  ['\u001b[D', 'left'],
  ['\u001bOD', 'left'],
  ['\u001b[H', 'home'],
  ['\u001bOH', 'home'],
  ['\u001b[1~', 'home'],
  ['\u001b[F', 'end'],
  ['\u001bOF', 'end'],
  ['\u001b[4~', 'end'],
  ['\u001b[2~', 'insert'],
  ['\u001b[3~', 'delete'],
  ['\u001b[Z', 'shift-tab'],
  ['\r', 'enter'],
  ['\n', 'enter'],
  ['\t', 'tab'],
  ['\b', 'backspace'],
  ['\u007f', 'backspace'],
]);

/** The keys of one piece of input by their names. */
export function keysOf(input: string): readonly string[] {
  return (input.match(KEY) ?? []).map((key) => NAMES.get(key) ?? nameOf(key));
}

/** A letter is its own name; control keys send the letter's code less 64. What else a terminal sends has many meanings. */
function nameOf(key: string): string {
  if (key.startsWith('\u001b')) return 'that key';
  return key < ' ' ? `ctrl-${String.fromCharCode(key.charCodeAt(0) + 64).toLowerCase()}` : key;
}
