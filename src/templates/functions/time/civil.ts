/** Calendar and clock of a moment in a zone, and the moment of a calendar date. */
import type { Zone } from './time-zones.ts';

/** A moment: seconds since 1970 and nanoseconds within the second. */
export interface Moment {
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly zone: Zone;
}

export interface Civil {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly weekday: number;
  readonly yearDay: number;
  readonly zoneName: string;
  readonly offset: number;
}

const DAY = 86400;

/** Days since 1970 of a date; months and days may be beyond their range. */
function daysOf(year: number, month: number, day: number): number {
  const months = year * 12 + month - 1;
  const y = Math.floor(months / 12) - (months - Math.floor(months / 12) * 12 < 2 ? 1 : 0);
  const m = (((months % 12) + 12) % 12) + 1;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (m > 2 ? m - 3 : m + 9) + 2) / 5);
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468 + day - 1;
}

export function civilOf({ seconds, zone }: Moment): Civil {
  const { name, offset } = zone.at(seconds);
  const local = seconds + offset;
  const days = Math.floor(local / DAY);
  const clock = local - days * DAY;
  const shifted = days + 719468;
  const era = Math.floor(shifted / 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return {
    year,
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
    hour: Math.floor(clock / 3600),
    minute: Math.floor((clock % 3600) / 60),
    second: clock % 60,
    weekday: (((days + 4) % 7) + 7) % 7,
    yearDay: days - daysOf(year, 1, 1) + 1,
    zoneName: name,
    offset,
  };
}

/** Seconds since 1970 as if the date were in UTC; each field may be beyond its range. */
export const utcSeconds = (year: number, month: number, day: number, hour = 0, minute = 0, second = 0): number =>
  daysOf(year, month, day) * DAY + hour * 3600 + minute * 60 + second;

/** The moment at which the clocks of a zone show these seconds since 1970. */
export function inZone(local: number, zone: Zone): number {
  const { offset } = zone.at(local);
  const before = local - offset;
  const { offset: there } = zone.at(before);
  return there === offset ? before : local - there;
}

export const daysIn = (year: number, month: number): number => daysOf(year, month + 1, 1) - daysOf(year, month, 1);
