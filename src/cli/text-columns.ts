/** Text in the columns of a terminal: its width, and how it is folded, shortened and padded to a width. */

/** Characters of two columns: East Asian wide characters and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** Characters that are drawn on the character before them. */
const COMBINING = /\p{Mn}|\p{Me}/u;
const ASCII = /^[\x20-\x7e]*$/;

function columnsOf(character: string): number {
  if (ASCII.test(character)) return 1;
  return COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

/** Columns that the text takes. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** The beginning that fits, at least one character. */
function beginning(text: string, width: number): string {
  if (ASCII.test(text)) return text.slice(0, Math.max(1, width));
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += columnsOf(character);
    if (used > width && end > 0) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** The text, or its beginning with an ellipsis. */
export function shorten(text: string, width: number): string {
  return textWidth(text) <= width ? text : `${beginning(text, width - 1)}\u2026`;
}

/** The text with spaces up to this width. */
export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)));
}

/** A word in parts of at most this width, cut after punctuation where there is some. */
function parts(word: string, width: number): readonly string[] {
  const found: string[] = [];
  let rest = word;
  // Only the beginning is measured: arguments of a job may be megabytes.
  while (textWidth(rest.slice(0, 2 * width + 2)) > width) {
    const head = beginning(rest, width);
    if (head === rest) break;
    const end = /^.*[/,:;=-](?=.)/s.exec(head)?.[0].length ?? head.length;
    found.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...found, rest];
}

/** Words in lines of at most this width; a longer word is cut after punctuation. Leading spaces are kept. */
export function fold(text: string, width: number | undefined): readonly string[] {
  if (width === undefined || textWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = /^ */.exec(text)?.[0] ?? '';
  let used = line.length;
  let empty = true;
  const room = width - used;
  for (const word of text
    .trimStart()
    .split(' ')
    .flatMap((each) => parts(each, Math.max(1, room)))) {
    const columns = textWidth(word);
    if (!empty && used + 1 + columns > width) {
      lines.push(line);
      line = word;
      used = columns;
    } else {
      line += empty ? word : ` ${word}`;
      used += empty ? columns : columns + 1;
      empty = false;
    }
  }
  return [...lines, line];
}
