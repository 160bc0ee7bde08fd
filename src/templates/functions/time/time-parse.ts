/** Reads a time by a layout, as Go's time.ParseInLocation in UTC, with its errors. */
import { GoError } from '../../contract.ts';
import { daysIn, type Moment, utcSeconds } from './civil.ts';
import { quotedAscii } from './go-duration.ts';
import { isFraction, layoutParts, MONTHS, WEEKDAYS } from './time-layout.ts';
import { fixedZone, UTC, type Zone } from './time-zones.ts';

/** What was read so far; -1 for what was not. */
interface Fields {
  year: number;
  month: number;
  day: number;
  yearDay: number;
  hour: number;
  minute: number;
  second: number;
  nanoseconds: number;
  afternoon: boolean | undefined;
  zone: Zone | undefined;
  zoneName: string;
  offset: number | undefined;
}

/** The rest of the value does not begin as the element says. */
class Mismatch extends Error {
  /** `month` if a number was read that is out of range. */
  readonly range: string;

  constructor(range = '') {
    super(range);
    this.range = range;
  }
}

export function parseTime(layout: string, value: string): Moment {
  return new TimeReader(layout, value).read();
}

class TimeReader {
  readonly #layout: string;
  readonly #value: string;
  readonly #fields: Fields = {
    year: 0,
    month: -1,
    day: -1,
    yearDay: -1,
    hour: 0,
    minute: 0,
    second: 0,
    nanoseconds: 0,
    afternoon: undefined,
    zone: undefined,
    zoneName: '',
    offset: undefined,
  };
  #rest: string;

  constructor(layout: string, value: string) {
    this.#layout = layout;
    this.#value = value;
    this.#rest = value;
  }

  read(): Moment {
    const parts = layoutParts(this.#layout);
    parts.forEach(({ before, element }, i) => {
      if (!this.#skip(before)) throw this.#cannot(before);
      if (element === '') {
        if (this.#rest !== '') throw this.#error(`: extra text: ${quotedAscii(this.#rest)}`);
        return;
      }
      try {
        this.#element(element, isFraction(parts[i + 1]?.element ?? ''));
      } catch (error) {
        if (!(error instanceof Mismatch)) throw error;
        throw error.range === '' ? this.#cannot(element) : this.#error(`: ${error.range} out of range`);
      }
    });
    return this.#moment();
  }

  #error(message: string): GoError {
    return new GoError(`parsing time ${quotedAscii(this.#value)}${message}`);
  }

  #cannot(element: string): GoError {
    return this.#error(
      ` as ${quotedAscii(this.#layout)}: cannot parse ${quotedAscii(this.#rest)} as ${quotedAscii(element)}`,
    );
  }

  /** Text between elements; spaces match any number of spaces. */
  #skip(text: string): boolean {
    for (let left = text; left !== ''; ) {
      if (left.startsWith(' ')) {
        if (this.#rest !== '' && !this.#rest.startsWith(' ')) return false;
        left = left.replace(/^ +/, '');
        this.#rest = this.#rest.replace(/^ +/, '');
        continue;
      }
      if (this.#rest === '' || this.#rest[0] !== left[0]) return false;
      left = left.slice(1);
      this.#rest = this.#rest.slice(1);
    }
    return true;
  }

  /** Consumes what an expression matches at the beginning. */
  #take(pattern: RegExp): string {
    const text = pattern.exec(this.#rest)?.[0];
    if (text === undefined) throw new Mismatch();
    this.#rest = this.#rest.slice(text.length);
    return text;
  }

  #number(element: string): number {
    return Number(this.#take(element.startsWith('0') ? /^\d\d/ : /^\d\d?/));
  }

  #name(names: readonly string[]): number {
    const index = names.findIndex((name) => this.#rest.slice(0, name.length).toLowerCase() === name.toLowerCase());
    if (index < 0) throw new Mismatch();
    this.#rest = this.#rest.slice(names[index]?.length ?? 0);
    return index;
  }

  #within(value: number, low: number, high: number, name: string): number {
    if (value < low || value > high) throw new Mismatch(name);
    return value;
  }

  #element(element: string, fractionFollows: boolean): void {
    const fields = this.#fields;
    const short = (names: readonly string[]): readonly string[] => names.map((name) => name.slice(0, 3));
    switch (element) {
      case '06': {
        const year = Number(this.#take(/^\d\d/));
        fields.year = year + (year >= 69 ? 1900 : 2000);
        return;
      }
      case '2006':
        fields.year = Number(this.#take(/^\d{4}/));
        return;
      case 'Jan':
        fields.month = this.#name(short(MONTHS)) + 1;
        return;
      case 'January':
        fields.month = this.#name(MONTHS) + 1;
        return;
      case '1':
      case '01':
        fields.month = this.#within(this.#number(element), 1, 12, 'month');
        return;
      case 'Mon':
        this.#name(short(WEEKDAYS));
        return;
      case 'Monday':
        this.#name(WEEKDAYS);
        return;
      case '_2':
        this.#take(/^ ?/);
        fields.day = this.#number(element);
        return;
      case '2':
      case '02':
        fields.day = this.#number(element);
        return;
      case '__2':
        this.#take(/^ {0,2}/);
        fields.yearDay = Number(this.#take(/^\d{1,3}/));
        return;
      case '002':
        fields.yearDay = Number(this.#take(/^\d{3}/));
        return;
      case '15':
        fields.hour = this.#within(this.#number(element), 0, 23, 'hour');
        return;
      case '3':
      case '03':
        fields.hour = this.#within(this.#number(element), 0, 12, 'hour');
        return;
      case '4':
      case '04':
        fields.minute = this.#within(this.#number(element), 0, 59, 'minute');
        return;
      case '5':
      case '05':
        fields.second = this.#within(this.#number(element), 0, 59, 'second');
        if (!fractionFollows && /^[.,]\d/.test(this.#rest)) this.#nanoseconds(/^[.,]\d+/);
        return;
      case 'PM':
        fields.afternoon = this.#take(/^[AP]M/) === 'PM';
        return;
      case 'pm':
        fields.afternoon = this.#take(/^[ap]m/) === 'pm';
        return;
      case 'MST':
        this.#zoneName();
        return;
      default:
        if (!isFraction(element)) this.#offset(element);
        else if (element[1] === '0') this.#nanoseconds(new RegExp(`^[.,]\\d{${element.length - 1}}`));
        else if (/^[.,]\d/.test(this.#rest)) this.#nanoseconds(/^[.,]\d{1,9}/);
    }
  }

  #nanoseconds(pattern: RegExp): void {
    const digits = this.#take(pattern).slice(1, 10);
    this.#fields.nanoseconds = Number(digits.padEnd(9, '0'));
  }

  #offset(element: string): void {
    if (/^Z(?:07|0700|07:00)$/.test(element) && this.#rest.startsWith('Z')) {
      this.#rest = this.#rest.slice(1);
      this.#fields.zone = UTC;
      return;
    }
    const pattern = element.slice(1).replace(/\d\d/g, '(\\d\\d)');
    const match = new RegExp(`^([+-])${pattern}`).exec(this.#rest);
    if (match === null) throw new Mismatch();
    this.#rest = this.#rest.slice(match[0].length);
    const [, sign, hours, minutes = '0', seconds = '0'] = match;
    // Some write an offset of 24 hours, or 60 minutes.
    this.#within(Number(hours), 0, 24, 'time zone offset hour');
    this.#within(Number(minutes), 0, 60, 'time zone offset minute');
    this.#within(Number(seconds), 0, 60, 'time zone offset second');
    const offset = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
    this.#fields.offset = sign === '-' ? -offset : offset;
  }

  #zoneName(): void {
    if (this.#rest.startsWith('UTC')) {
      this.#rest = this.#rest.slice(3);
      this.#fields.zone = UTC;
      return;
    }
    const signed = /^(?:GMT)?[+-](\d+)/.exec(this.#rest);
    const letters = /^[A-Z]{0,6}/.exec(this.#rest)?.[0] ?? '';
    let length = 0;
    if (/^(?:ChST|MeST)/.test(this.#rest)) length = 4;
    else if (signed !== null && Number(signed[1]) <= 23) length = signed[0].length;
    else if (letters.startsWith('GMT')) length = 3;
    else if (letters.length === 3) length = 3;
    else if ((letters.length === 4 || letters.length === 5) && (letters.endsWith('T') || letters === 'WITA'))
      length = letters.length;
    if (length === 0) throw new Mismatch();
    this.#fields.zoneName = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
  }

  #moment(): Moment {
    const fields = this.#fields;
    if (fields.afternoon === true && fields.hour < 12) fields.hour += 12;
    if (fields.afternoon === false && fields.hour === 12) fields.hour = 0;
    if (fields.yearDay >= 0) this.#fromYearDay();
    const month = fields.month < 0 ? 1 : fields.month;
    const day = fields.day < 0 ? 1 : fields.day;
    if (day < 1 || day > daysIn(fields.year, month)) throw this.#error(': day out of range');
    const seconds = utcSeconds(fields.year, month, day, fields.hour, fields.minute, fields.second);
    const { nanoseconds, zone, zoneName, offset } = fields;
    if (zone !== undefined) return { seconds, nanoseconds, zone };
    if (offset !== undefined) {
      const isLocal = offset === 0 && (zoneName === '' || zoneName === 'UTC');
      return { seconds: seconds - offset, nanoseconds, zone: isLocal ? UTC : fixedZone(zoneName, offset) };
    }
    if (zoneName === '') return { seconds, nanoseconds, zone: UTC };
    // The offset of the zone is unknown, and Go takes the clock for UTC even where the name says the offset.
    const hours = Number(/^GMT([+-]\d+)/.exec(zoneName)?.[1] ?? 0);
    return { seconds, nanoseconds, zone: fixedZone(zoneName, hours * 3600) };
  }

  #fromYearDay(): void {
    const fields = this.#fields;
    const leap = daysIn(fields.year, 2) === 29;
    if (fields.yearDay < 1 || fields.yearDay > (leap ? 366 : 365)) throw this.#error(': day-of-year out of range');
    let month = 1;
    let day = fields.yearDay;
    for (; day > daysIn(fields.year, month); month++) day -= daysIn(fields.year, month);
    if (fields.month >= 0 && fields.month !== month) throw this.#error(': day-of-year does not match month');
    if (fields.day >= 0 && fields.day !== day) throw this.#error(': day-of-year does not match day');
    fields.month = month;
    fields.day = day;
  }
}
