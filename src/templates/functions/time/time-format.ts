/** Writes a moment by a layout, as Go's Time.Format. */
import { type Civil, civilOf, type Moment } from './civil.ts';
import { isFraction, layoutParts, MONTHS, WEEKDAYS } from './time-layout.ts';

/** At least this many digits, a minus sign not counted. */
const padded = (value: number, width: number): string =>
  (value < 0 ? '-' : '') + String(Math.abs(value)).padStart(width, '0');

export function formatTime(moment: Moment, layout: string): string {
  const civil = civilOf(moment);
  return layoutParts(layout)
    .map(({ before, element }) => before + written(element, civil, moment.nanoseconds))
    .join('');
}

function written(element: string, civil: Civil, nanoseconds: number): string {
  const { year, month, day, hour, minute, second, yearDay } = civil;
  const hour12 = hour % 12 || 12;
  switch (element) {
    case '':
      return '';
    case '2006':
      return padded(year, 4);
    case '06':
      return padded(Math.abs(year) % 100, 2);
    case 'January':
      return MONTHS[month - 1] ?? '';
    case 'Jan':
      return (MONTHS[month - 1] ?? '').slice(0, 3);
    case '1':
      return String(month);
    case '01':
      return padded(month, 2);
    case 'Monday':
      return WEEKDAYS[civil.weekday] ?? '';
    case 'Mon':
      return (WEEKDAYS[civil.weekday] ?? '').slice(0, 3);
    case '2':
      return String(day);
    case '_2':
      return String(day).padStart(2, ' ');
    case '02':
      return padded(day, 2);
    case '__2':
      return String(yearDay).padStart(3, ' ');
    case '002':
      return padded(yearDay, 3);
    case '15':
      return padded(hour, 2);
    case '3':
      return String(hour12);
    case '03':
      return padded(hour12, 2);
    case '4':
      return String(minute);
    case '04':
      return padded(minute, 2);
    case '5':
      return String(second);
    case '05':
      return padded(second, 2);
    case 'PM':
      return hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return hour >= 12 ? 'pm' : 'am';
    case 'MST':
      return civil.zoneName === '' ? offsetText('-0700', civil.offset) : civil.zoneName;
    default:
      return isFraction(element) ? fraction(element, nanoseconds) : offsetText(element, civil.offset);
  }
}

function fraction(element: string, nanoseconds: number): string {
  const digits = String(nanoseconds)
    .padStart(9, '0')
    .slice(0, element.length - 1);
  const shown = element[1] === '9' ? digits.replace(/(?<!0)0+$/, '') : digits;
  return shown === '' ? '' : `${element[0]}${shown}`;
}

function offsetText(element: string, offset: number): string {
  if (element.startsWith('Z') && offset === 0) return 'Z';
  const minutes = Math.trunc(Math.abs(offset) / 60);
  // A negative offset of less than a minute has a plus sign in Go.
  const sign = offset <= -60 ? '-' : '+';
  const parts = [Math.trunc(minutes / 60), minutes % 60, Math.abs(offset) % 60].map((part) => padded(part, 2));
  const digits = element.replace(/[^0-9]/g, '').length;
  return sign + parts.slice(0, digits / 2).join(element.includes(':') ? ':' : '');
}
