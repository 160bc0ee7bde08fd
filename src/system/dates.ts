/**
 * Dates of the protocol (section 5.4), as milliseconds since 1970.
 */

/**
 * Always UTC; the fraction has six digits, or is absent when zero.
 */
export function formatDate(ms: number): string {
  const date = new Date(ms).toISOString();
  const fraction = date.slice(20, 23);
  return fraction === '000' ? `${date.slice(0, 19)}Z` : `${date.slice(0, 19)}.${fraction}000Z`;
}

const DATE =
  /^(\d{4})-(\d\d)-(\d\d)(?:$|[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:Z|([+-])(\d\d):(\d\d)|(?![+\-:.\d])))/;

/**
 * Reads leniently: a date alone, no seconds, a space for `T`, fractions of any length (cut to six digits), no zone
 * (UTC), `Z` or `+hh:mm`. What follows a complete time is ignored. Fractions of a millisecond are kept.
 * undefined: no such date.
 */
export function parseDate(text: string): number | undefined {
  const match = DATE.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', sign, zoneHour, zoneMinute] = match;
  const at = new Date(0);
  at.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const possible =
    at.getUTCMonth() === Number(month) - 1 &&
    at.getUTCDate() === Number(day) &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    Number(zoneHour ?? 0) < 24 &&
    Number(zoneMinute ?? 0) < 60;
  if (!possible) return undefined;
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  const zone = (Number(zoneHour ?? 0) * 60 + Number(zoneMinute ?? 0)) * 60 * (sign === '-' ? -1 : 1);
  const micros = Number(fraction.slice(0, 6).padEnd(6, '0'));
  return at.getTime() + (seconds - zone) * 1000 + micros / 1000;
}
