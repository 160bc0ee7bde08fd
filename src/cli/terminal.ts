/**
 * Output of commands: results on stdout, everything else on stderr. Strings of users and clusters are escaped here, so that
 * a job name cannot control an administrator's terminal.
 */
import { escapeControls } from '../system/escape.ts';
import { fold, padTo, shorten, textWidth } from './text-columns.ts';

export interface Terminal {
  /** Results. */
  readonly write: (text: string) => void;
  /** One line for people, on stderr. */
  readonly say: (line: string) => void;
  /** Bytes to stdout as they are; resolves when stdout accepts more. */
  readonly pass: (bytes: Uint8Array) => Promise<void>;
  /** Asks for a line; undefined where stdin or stderr is not a terminal. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** Aborted by Ctrl-C, SIGTERM and a closed stdout. Before the first call, signals end the process. */
  readonly interrupted: () => AbortSignal;
  /** Height in lines now; undefined where stdout is not a terminal. */
  readonly rows: number | undefined;
  /** Width in characters now; undefined for pipes and files, where lines are not folded. */
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

/** JSON with control characters as escapes: its values are the same. */
export function cleanJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).split('\n').map(clean).join('\n');
}

const COLORS = { green: 32, yellow: 33, red: 31, gray: 90, bold: 1 } as const;

export type Color = keyof typeof COLORS;

/** The text in a color, if the terminal has colors. The text is not escaped here. */
export function paint({ color }: Pick<Terminal, 'color'>, name: Color, text: string): string {
  return color ? `\u001b[${COLORS[name]}m${text}\u001b[0m` : text;
}

const GAP = '  ';
/** Longest cell that widens a column for all rows: users choose tags, hosts and images of jobs. */
const MOST_CELL = 256;
const NARROWEST_COLUMN = 20;

/** Layout of a table. */
interface TableLayout {
  /** The first row is the head; default true. */
  readonly head?: boolean;
  /** The column that is folded where the terminal is too narrow; default: the last. */
  readonly flowing?: number;
}

/** How a table stacks its last column. */
interface StackedLayout {
  /** Least width of the last column; if there is less, it has lines of its own below each row. */
  readonly least: number;
  /** A column that is cut if the others do not fit. */
  readonly cuttable?: number;
}

const LEAST_CUT = 8;

/** Escaped cells; long ones are cut, but the one that can be folded. */
function cellsOf(row: readonly string[], folded: number): readonly string[] {
  return row.map((cell, column) => (column === folded ? clean(cell) : shorten(clean(cell), MOST_CELL)));
}

/** Rows in columns; on a narrow terminal the last cell of a row, and others that do not fit, are on the lines below it. Cells are escaped. */
export function stackedTable(
  rows: readonly (readonly string[])[],
  terminal: Pick<Terminal, 'columns' | 'color'>,
  { least, cuttable }: StackedLayout,
): string {
  const { columns } = terminal;
  const cells = rows.map((row) => cellsOf(row, row.length - 1));
  const widths = (cells[0] ?? []).slice(0, -1).map((_, column) => widest(cells, column));
  const width = widths.reduce((sum, each) => sum + each + GAP.length, 0);
  if (columns === undefined || width + least <= columns) return table(rows, terminal);
  if (cuttable !== undefined) {
    const missing = Math.max(0, width - GAP.length - columns);
    const full = widths[cuttable] ?? 0;
    widths[cuttable] = Math.max(Math.min(LEAST_CUT, full), full - missing);
  }
  const beside = fittingColumns(widths, columns);
  return cells
    .map((row, index) => {
      const shown = row.slice(0, -1).map((cell, column) => shorten(cell, widths[column] ?? 0));
      const line = shown
        .slice(0, beside)
        .map((cell, column) => padTo(cell, widths[column] ?? 0))
        .join(GAP)
        .trimEnd();
      const others = shown.slice(beside).join(GAP);
      const below = [others, index === 0 ? '' : (row.at(-1) ?? '')]
        .filter((text) => text !== '')
        .flatMap((text) => fold(text, columns - GAP.length).map((each) => GAP + each));
      return `${[line, ...below].map((each) => (index === 0 ? paint(terminal, 'bold', each) : each)).join('\n')}\n`;
    })
    .join('');
}

/** How many columns fit beside each other; at least the first one, which is never cut. */
function fittingColumns(widths: readonly number[], columns: number): number {
  let used = 0;
  const end = widths.findIndex((width, column) => {
    used += width + (column === 0 ? 0 : GAP.length);
    return column > 0 && used > columns;
  });
  return end === -1 ? widths.length : end;
}

/** Rows in columns, each as wide as its widest cell, but one that is folded to what is left. Cells are escaped. */
export function table(
  rows: readonly (readonly string[])[],
  terminal: Pick<Terminal, 'columns' | 'color'>,
  { head = true, flowing }: TableLayout = {},
): string {
  const count = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const folded = flowing ?? count - 1;
  const cells = rows.map((row) => cellsOf(row, folded));
  const widths = Array.from({ length: count }, (_, column) => widest(cells, column));
  const others = widths.reduce((sum, width, column) => sum + (column === folded ? 0 : width + GAP.length), 0);
  if (terminal.columns !== undefined) {
    widths[folded] = Math.min(widths[folded] ?? 0, Math.max(NARROWEST_COLUMN, terminal.columns - others));
  }
  return cells
    .map((row, index) => {
      const lines = fold(row[folded] ?? '', widths[folded]).map((line, at) =>
        widths
          .map((width, column) => padTo(column === folded ? line : at === 0 ? (row[column] ?? '') : '', width))
          .join(GAP)
          .trimEnd(),
      );
      const text = lines.join('\n');
      return `${head && index === 0 ? paint(terminal, 'bold', text) : text}\n`;
    })
    .join('');
}

/** Without a spread, which has a limit of arguments. */
function widest(cells: readonly (readonly string[])[], column: number): number {
  return cells.reduce((most, row) => Math.max(most, textWidth(row[column] ?? '')), 0);
}
