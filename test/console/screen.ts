/** The console as text: a pure function of what is known and of the terminal's size. */
import { escapeControls } from '../../src/system/escape.ts';

export interface Row {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly detail: string;
  /** Its exit code is not 0. */
  readonly failed?: boolean;
}

export type Pane =
  | { readonly kind: 'none' }
  | { readonly kind: 'samples'; readonly names: readonly string[] }
  | {
      readonly kind: 'text';
      readonly title: string;
      readonly lines: readonly string[];
      /** Index of the first line to show, of those that long lines were broken into. */
      readonly first: number | 'newest';
    };

export interface View {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly selected: number;
  readonly pane: Pane;
  /** What happened last. */
  readonly note: string;
}

export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  readonly color: boolean;
}

const COLOR_OF: Readonly<Record<string, string>> = {
  Pending: '33',
  Running: '32',
  Finished: '36',
  Failed: '31',
  Killed: '31',
  Canceled: '90',
};

const FAILED = '31';

/** The first that fits is shown: how to leave is never left out. */
const KEYS = [
  'n new   enter details   o output   s stop   k kill   c cancel   i cluster   arrows select   esc close   ? help   q quit',
  'n new   o output   s stop   k kill   c cancel   i cluster   arrows select   esc close   ? help   q quit',
  'n new  o output  s stop  k kill  c cancel  i cluster  esc close  ? help  q quit',
  'n o s k c i esc  ? help  q quit',
  '? help  q quit',
  'q quit',
];

/** Terminals with fewer rows get no empty lines. */
const ROOMY_ROWS = 12;

/** The row of a job in a new state. What was said of another state is not true of this one. */
export function rowAfter(
  known: Row | undefined,
  { id, name, status, statusMessage }: { id: string; name: string; status: string; statusMessage: string },
): Row {
  const detail = statusMessage || (known?.state === status ? known.detail : '');
  const isSame = known?.state === status;
  return { id, name, state: status, detail, ...(isSame && known.failed === true ? { failed: true } : {}) };
}

/** The text over lines of at most this width, broken between words unless that leaves more than half a line empty. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let rest = [...text];
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const end = space > width / 2 ? space : width;
    lines.push(rest.slice(0, end).join(''));
    rest = rest.slice(end === space ? end + 1 : end);
  }
  return [...lines, rest.join('')];
}

function fit(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** As `fit`, but both ends stay: the end of the ids distinguishes jobs of one name. */
function fitEnds(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text.padEnd(text.length + width - characters.length);
  const end = Math.floor(width / 2);
  return `${characters.slice(0, width - 1 - end).join('')}…${characters.slice(-end).join('')}`;
}

interface Layout {
  /** An empty line, where there is room for it. */
  readonly gap: readonly string[];
  readonly note: readonly string[];
  readonly listHeight: number;
  readonly paneTitle: string;
  /** All lines of the pane, and which of them are seen. */
  readonly text: readonly string[];
  readonly first: number;
  readonly textHeight: number;
}

function layout({ rows, pane, note }: View, terminal: Terminal): Layout {
  const gap = terminal.rows < ROOMY_ROWS ? [] : [''];
  const noteLines = note === '' ? gap : noteOf(note, terminal);
  const { title, lines, first } = contentOf(pane);
  const fixed = 2 + noteLines.length + gap.length * (pane.kind === 'none' ? 2 : 3);
  const space = Math.max(0, terminal.rows - fixed);
  const text = lines.flatMap((line) => wrapped(escapeControls(line), terminal.columns));
  const paneWanted = pane.kind === 'none' ? 0 : text.length + 1;
  // The list gets what it needs, but no more than half if that is too little for the pane.
  const paneHeight = Math.min(paneWanted, Math.max(Math.ceil(space / 2), space - Math.max(1, rows.length)));
  const textHeight = Math.max(0, paneHeight - 1);
  const newest = text.length - textHeight;
  const seen = first === 'newest' ? newest : Math.min(first, newest);
  const position = newest === 0 ? '' : `  ${seen + 1}-${seen + textHeight} of ${text.length}`;
  return {
    gap,
    note: noteLines,
    listHeight: space - paneHeight,
    paneTitle: `${fitEnds(escapeControls(title), Math.max(8, terminal.columns - position.length)).trimEnd()}${position}`,
    text,
    first: seen,
    textHeight,
  };
}

function noteOf(note: string, { columns, rows }: Terminal): readonly string[] {
  const most = Math.max(2, Math.floor(rows / 4));
  const lines = wrapped(escapeControls(note), columns);
  return lines.length <= most ? lines : [...lines.slice(0, most - 1), fit(lines.slice(most - 1).join(' '), columns)];
}

function contentOf(pane: Pane): { title: string; lines: readonly string[]; first: number | 'newest' } {
  switch (pane.kind) {
    case 'none':
      return { title: '', lines: [], first: 0 };
    case 'samples': {
      const lines = pane.names.map((name, index) => `  ${index + 1}  ${name}`);
      return { title: 'Which job? Press its number:', lines, first: 0 };
    }
    case 'text':
      return { title: `-- ${pane.title} --`, lines: pane.lines, first: pane.first };
    default: {
      const never: never = pane;
      return never;
    }
  }
}

/** The pane this number of pages further; at its end it shows the newest lines again. */
export function scrolled(view: View, terminal: Terminal, pages: number): Pane {
  if (view.pane.kind !== 'text') return view.pane;
  const { first, text, textHeight } = layout(view, terminal);
  const next = Math.max(0, first + pages * textHeight);
  return { ...view.pane, first: next >= text.length - textHeight ? 'newest' : next };
}

/**
 * The lines of the screen: never more than the terminal has rows, none wider than its columns; the last one shows the
 * keys.
 */
export function screen(view: View, terminal: Terminal): readonly string[] {
  const { columns, rows, color } = terminal;
  const { gap, note, listHeight, paneTitle, text, first, textHeight } = layout(view, terminal);
  const paint = (code: string, words: string): string => (color ? `\u001b[${code}m${words}\u001b[0m` : words);
  const line = (words: string): string => fit(escapeControls(words), columns).trimEnd();
  const top = Math.max(0, Math.min(view.selected - listHeight + 1, view.rows.length - listHeight));
  const idWidth = Math.max(8, Math.min(40, Math.floor(columns * 0.4)));

  const list = view.rows.slice(top, top + listHeight).map((row, index) => {
    const mark = top + index === view.selected ? '>' : ' ';
    const state = row.state.padEnd(9);
    const plain = line(`${mark} ${fitEnds(escapeControls(row.id), idWidth)} ${state} ${row.detail || row.name}`);
    const code = row.failed === true ? FAILED : (COLOR_OF[row.state] ?? '0');
    return color ? plain.replace(state.trim(), paint(code, state.trim())) : plain;
  });
  if (list.length === 0 && listHeight > 0) list.push(line('  no jobs yet: press n'));
  const body = [
    paint('1', line(view.title)),
    ...gap,
    ...list,
    ...(paneTitle === '' ? [] : [...gap, line(paneTitle)]),
    ...text.slice(first, first + textHeight),
    ...gap,
    ...note,
  ];
  const keys = KEYS.find((words) => words.length <= columns) ?? 'q';
  return [...body.slice(0, rows - 1), paint('7', keys)];
}
