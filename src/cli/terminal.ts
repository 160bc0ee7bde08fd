/**
 * Output of commands: results on stdout, everything else on stderr. Strings of users and clusters are escaped here, so that
 * a job name cannot control an administrator's terminal.
 */
import { escapeControls } from '../system/escape.ts';

export interface Terminal {
  /** Results. */
  readonly write: (text: string) => void;
  /** One line for people, on stderr. */
  readonly say: (line: string) => void;
  /** Width in characters; undefined for pipes and files, where lines are not folded. */
  readonly columns: number | undefined;
  readonly color: boolean;
}

/** Properties of stdout. */
interface Output {
  readonly isTerminal: boolean;
  /** Width of the terminal, if it is known. */
  readonly columns: number | undefined;
}

const NARROWEST = 40;

/** COLUMNS overrides the terminal's own width. A non-empty NO_COLOR, and TERM=dumb, turn colors off. */
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

/** The text in a color, if the terminal has colors. The text is not escaped here. */
export function paint({ color }: Pick<Terminal, 'color'>, name: Color, text: string): string {
  return color ? `\u001b[${COLORS[name]}m${text}\u001b[0m` : text;
}

/** Words in lines of at most `width` characters; a longer word has its own line. Leading spaces are kept. */
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
const NARROWEST_COLUMN = 20;

/** Layout of a table. */
interface TableLayout {
  /** The first row is the head; default true. */
  readonly head?: boolean;
  /** The column that is folded where the terminal is too narrow; default: the last. */
  readonly flowing?: number;
}

/** Rows in columns, each as wide as its widest cell, but one that is folded to what is left. Cells are escaped. */
export function table(
  rows: readonly (readonly string[])[],
  terminal: Pick<Terminal, 'columns' | 'color'>,
  { head = true, flowing }: TableLayout = {},
): string {
  const cells = rows.map((row) => row.map(clean));
  const count = Math.max(0, ...cells.map((row) => row.length));
  const folded = flowing ?? count - 1;
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const others = widths.reduce((sum, width, column) => sum + (column === folded ? 0 : width + GAP.length), 0);
  if (terminal.columns !== undefined) {
    widths[folded] = Math.min(widths[folded] ?? 0, Math.max(NARROWEST_COLUMN, terminal.columns - others));
  }
  return cells
    .map((row, index) => {
      const lines = fold(row[folded] ?? '', widths[folded]).map((line, at) =>
        widths
          .map((width, column) => (column === folded ? line : at === 0 ? (row[column] ?? '') : '').padEnd(width))
          .join(GAP)
          .trimEnd(),
      );
      const text = lines.join('\n');
      return `${head && index === 0 ? paint(terminal, 'bold', text) : text}\n`;
    })
    .join('');
}
