/** What the benchmark found, as a table, as small charts, and as JSON. */

interface Bar {
  readonly name: string;
  readonly value: number;
}

/** At most so much, or at least; or just to be known. */
export type Reach = { readonly most: number } | { readonly least: number } | 'known';

export interface Row {
  /** Letter of the item, e.g. `a`. */
  readonly item: string;
  readonly what: string;
  /** What is compared, ours first; medians. */
  readonly bars: readonly Bar[];
  readonly unit: string;
  /** The number that has to be reached: a ratio, or a value in the unit. */
  readonly result: number;
  readonly reach: Reach;
  readonly ratio: boolean;
}

export function isReached({ result, reach }: Row): boolean {
  if (reach === 'known') return true;
  return 'most' in reach ? result <= reach.most : result >= reach.least;
}

const number = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));

const amount = ({ result, ratio, unit }: Row): string => `${number(result)}${ratio ? '' : ` ${unit}`}`;
const goal = ({ reach, ratio, unit }: Row): string => {
  if (reach === 'known') return '';
  const [sign, value] = 'most' in reach ? ['≤', reach.most] : ['≥', reach.least];
  return `${sign} ${number(value)}${ratio ? '' : ` ${unit}`}`;
};

const HEAD = ['', 'what', 'ours', 'beside', 'result', 'to reach', ''];

function cells(row: Row): readonly string[] {
  const [ours, ...others] = row.bars;
  return [
    row.item,
    row.what,
    ours === undefined ? '' : `${number(ours.value)} ${row.unit}`,
    others.map(({ name, value }) => `${name} ${number(value)} ${row.unit}`).join(', '),
    row.ratio ? amount(row) : '',
    goal(row),
    row.reach === 'known' ? '' : isReached(row) ? 'yes' : 'NO',
  ];
}

/** Columns of the same width. */
export function table(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The same as a Markdown table. */
export function markdown(rows: readonly Row[]): string {
  const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
  return [line(HEAD), line(HEAD.map(() => '---')), ...rows.map((row) => line(cells(row)))].join('\n');
}

const BEGIN = '<!-- last run -->';
const END = '<!-- end of the last run -->';

/** The document with this text between its two marks. */
export function withLastRun(document: string, text: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`the document has no ${BEGIN} before ${END}`);
  return `${document.slice(0, begin)}${BEGIN}\n${text}\n\n${document.slice(end)}`;
}

const WIDTH = 40;

/** A bar for each contestant. */
export function chart({ item, what, bars, unit }: Row): string {
  const most = Math.max(...bars.map(({ value }) => value));
  const width = Math.max(...bars.map(({ name }) => name.length));
  const lines = bars.map(({ name, value }) => {
    const length = most === 0 ? 0 : Math.max(1, Math.round((value / most) * WIDTH));
    return `   ${name.padEnd(width)}  ${'█'.repeat(length)} ${number(value)} ${unit}`;
  });
  return [`${item}. ${what}`, ...lines].join('\n');
}
