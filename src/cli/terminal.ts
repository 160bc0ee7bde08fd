/**
 * What commands write: results on stdout, everything else on stderr. Texts of users and clusters pass through here, so
 * that nobody's name of a job can move the cursor of an administrator's terminal.
 */
import { escapeControls } from '../system/escape.ts';

export interface Terminal {
  /** Results. */
  readonly write: (text: string) => void;
  /** One line for people, on stderr. */
  readonly say: (line: string) => void;
  /** Width in characters; undefined where lines are not to be folded: pipes and files. */
  readonly columns: number | undefined;
  readonly color: boolean;
}

/** What is known of stdout. */
export interface Output {
  readonly isTerminal: boolean;
  /** Of the terminal, if it is known. */
  readonly columns: number | undefined;
}

const NARROWEST = 40;

/** COLUMNS beats the terminal's own width. NO_COLOR with any text, and TERM=dumb, mean no colours. */
export function terminalSettings(
  environment: Readonly<Record<string, string | undefined>>,
  { isTerminal, columns }: Output,
): Pick<Terminal, 'columns' | 'color'> {
  const { COLUMNS = '', NO_COLOR = '', TERM } = environment;
  const width = /^\d{1,4}$/.test(COLUMNS) ? Number(COLUMNS) : isTerminal ? (columns ?? 80) : undefined;
  return {
    columns: width === undefined || width === 0 ? undefined : Math.max(NARROWEST, width),
    color: isTerminal && NO_COLOR === '' && TERM !== 'dumb',
  };
}

/** Escaped, on one line. */
export const clean = escapeControls;

const COLORS = { green: 32, yellow: 33, red: 31, gray: 90, bold: 1 } as const;

export type Color = keyof typeof COLORS;

/** The text in a colour, if the terminal has colours. The text is not escaped here. */
export function paint({ color }: Pick<Terminal, 'color'>, name: Color, text: string): string {
  return color ? `\u001b[${COLORS[name]}m${text}\u001b[0m` : text;
}

/** Words in lines of at most `width` characters; a longer word stands alone. Blanks at the beginning are kept. */
export function fold(text: string, width: number | undefined): readonly string[] {
  if (width === undefined || text.length <= width) return [text];
  const lines: string[] = [];
  let line = /^ */.exec(text)?.[0] ?? '';
  let empty = true;
  for (const word of text.trimStart().split(' ')) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line += empty ? word : ` ${word}`;
      empty = false;
    }
  }
  return [...lines, line];
}

const GAP = '  ';

/**
 * Rows in columns, each as wide as its widest cell; the last column is folded to the terminal's width. Cells are
 * escaped. The first row is the head, unless `head` is false.
 */
export function table(
  rows: readonly (readonly string[])[],
  terminal: Pick<Terminal, 'columns' | 'color'>,
  { head = true }: { readonly head?: boolean } = {},
): string {
  const cells = rows.map((row) => row.map(clean));
  const count = Math.max(0, ...cells.map((row) => row.length));
  const widths = Array.from({ length: Math.max(0, count - 1) }, (_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const before = widths.reduce((sum, width) => sum + width + GAP.length, 0);
  const rest = terminal.columns === undefined ? undefined : Math.max(20, terminal.columns - before);
  return cells
    .map((row, index) => {
      const fixed = widths.map((width, column) => (row[column] ?? '').padEnd(width) + GAP).join('');
      const [first = '', ...more] = fold(row[count - 1] ?? '', rest);
      const lines = [fixed + first, ...more.map((line) => ' '.repeat(before) + line)].map((line) => line.trimEnd());
      const text = lines.join('\n');
      return `${head && index === 0 ? paint(terminal, 'bold', text) : text}\n`;
    })
    .join('');
}
