/** The console as text: a pure function of what is known and of the terminal's size. */

export interface Row {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly detail: string;
}

export type Pane =
  | { readonly kind: 'none' }
  | { readonly kind: 'samples'; readonly names: readonly string[] }
  | { readonly kind: 'text'; readonly title: string; readonly lines: readonly string[] };

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

const KEYS = 'n new   o output   s stop   k kill   c cancel   i cluster   arrows select   esc close   q quit';

/** Control characters, escape sequences and bidi marks as visible text: job names are made by users. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function fit(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width
    ? text.padEnd(text.length + width - characters.length)
    : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** The lines of the screen: never more than the terminal has rows, none wider than its columns. */
export function screen(view: View, terminal: Terminal): readonly string[] {
  const paint = (code: string, text: string): string => (terminal.color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = (text: string): string => fit(printable(text), terminal.columns).trimEnd();
  const paneLines = linesOfPane(view.pane);
  const space = Math.max(0, terminal.rows - 5);
  const paneHeight = paneLines.length === 0 ? 0 : Math.min(paneLines.length, Math.max(3, Math.floor(space / 2)));
  const listHeight = Math.max(0, space - paneHeight);
  const first = Math.max(0, Math.min(view.selected - listHeight + 1, view.rows.length - listHeight));
  const idWidth = Math.max(8, Math.min(40, Math.floor(terminal.columns * 0.4)));

  const list = view.rows.slice(first, first + listHeight).map((row, index) => {
    const mark = first + index === view.selected ? '>' : ' ';
    const state = row.state.padEnd(9);
    const plain = line(`${mark} ${fit(printable(row.id), idWidth)} ${state} ${row.detail || row.name}`);
    return terminal.color ? plain.replace(state.trim(), paint(COLOR_OF[row.state] ?? '0', state.trim())) : plain;
  });
  if (list.length === 0 && listHeight > 0) list.push(line('  no jobs yet: press n'));
  return [
    paint('1', line(view.title)),
    '',
    ...list,
    ...(paneLines.length === 0 ? [] : ['', ...paneLines.slice(-paneHeight).map(line)]),
    '',
    line(view.note),
    paint('7', line(KEYS)),
  ].slice(0, terminal.rows);
}

function linesOfPane(pane: Pane): readonly string[] {
  switch (pane.kind) {
    case 'none':
      return [];
    case 'samples':
      return ['Which job? Press its number:', ...pane.names.map((name, index) => `  ${index + 1}  ${name}`)];
    case 'text':
      return [`-- ${pane.title} --`, ...pane.lines];
    default: {
      const never: never = pane;
      return never;
    }
  }
}
