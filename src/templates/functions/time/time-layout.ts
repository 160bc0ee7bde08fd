/** Layouts of times as Go writes them, cut into elements (`2006`, `Jan`, `-07:00`) and the text between them. */

interface LayoutPart {
  /** Text before the element. */
  readonly before: string;
  /** Empty at the end of the layout. */
  readonly element: string;
}

const ELEMENT = new RegExp(
  [
    'January',
    'Jan(?![a-z])',
    'Monday',
    'Mon(?![a-z])',
    'MST',
    '0[1-6]',
    '002',
    '15',
    '1',
    '2006',
    '2',
    '__2',
    '_2(?!006)',
    '[345]',
    'PM',
    'pm',
    '[-Z](?:070000|07:00:00|0700|07:00|07)',
    '[.,](?:0+|9+)(?![0-9])',
  ].join('|'),
  'g',
);

export function layoutParts(layout: string): readonly LayoutPart[] {
  const parts: LayoutPart[] = [];
  let at = 0;
  for (const match of layout.matchAll(ELEMENT)) {
    parts.push({ before: layout.slice(at, match.index), element: match[0] });
    at = match.index + match[0].length;
  }
  return [...parts, { before: layout.slice(at), element: '' }];
}

export const isFraction = (element: string): boolean => /^[.,]/.test(element);

export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
export const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
