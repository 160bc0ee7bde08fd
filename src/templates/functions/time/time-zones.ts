/** Time zones: offsets of the time zone database that is part of Node.js, and their abbreviations. */

/** What a zone says about a moment. */
interface ZoneAt {
  /** The abbreviation (`CET`), empty if it is unknown. */
  readonly name: string;
  /** Seconds east of UTC. */
  readonly offset: number;
}

export interface Zone {
  /** As Go's Location prints. */
  readonly name: string;
  readonly at: (seconds: number) => ZoneAt;
}

export const fixedZone = (name: string, offset: number): Zone => ({ name, at: () => ({ name, offset }) });

export const UTC: Zone = fixedZone('UTC', 0);

/** Languages that abbreviate the names of zones; where none of them does, Go mostly has the offset as well. */
const LOCALES = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-ZA', 'en-NZ', 'en-CA'];

/** Other abbreviations of the time zone database, of standard and daylight saving time; `-` for the offset. */
const ABBREVIATIONS: ReadonlyMap<string, readonly string[]> = new Map(
  (
    'HST/HDT America/Adak,MST America/Dawson America/Hermosillo America/Mazatlan America/Whitehorse,' +
    'CST/CDT America/Havana Asia/Macau Asia/Shanghai Asia/Taipei,HKT Asia/Hong_Kong,WIB Asia/Jakarta Asia/Pontianak,' +
    'WIT Asia/Jayapura,WITA Asia/Makassar,IST/IDT Asia/Jerusalem,PKT Asia/Karachi,PST Asia/Manila,' +
    'KST Asia/Pyongyang Asia/Seoul,JST Asia/Tokyo,GMT/IST Europe/Dublin,' +
    'GMT/BST Europe/Guernsey Europe/Isle_of_Man Europe/Jersey,' +
    'MSK Europe/Kirov Europe/Moscow Europe/Simferopol Europe/Volgograd,MET/MEST MET,ChST Pacific/Guam Pacific/Saipan,' +
    'SST Pacific/Midway Pacific/Pago_Pago,GMT Etc/GMT,- America/Miquelon Antarctica/Casey Antarctica/Troll Asia/Colombo ' +
    'Asia/Dubai Asia/Muscat Australia/Eucla Australia/Lord_Howe Pacific/Chatham'
  )
    .split(',')
    .flatMap((line) => {
      const [names = '', ...zones] = line.split(' ');
      return zones.map((zone): [string, readonly string[]] => [zone, names.split('/')]);
    }),
);

/** A zone by its name in the database; undefined if there is none. */
export function loadZone(name: string): Zone | undefined {
  if (name === '' || name === 'UTC' || name === 'Local') return UTC;
  if (!/^[A-Z][A-Za-z0-9+_/-]*$/.test(name)) return undefined;
  let clock: Intl.DateTimeFormat;
  try {
    clock = formatter('en-US', name);
  } catch {
    return undefined;
  }
  return {
    name,
    at: (seconds) => {
      const offset = offsetAt(clock, seconds);
      return { name: abbreviation(name, clock, seconds, offset), offset };
    },
  };
}

const HALF_YEAR = 182 * 86400;

const formatter = (locale: string, timeZone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat(locale, {
    timeZone,
    calendar: 'gregory',
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    timeZoneName: 'short',
  });

type Parts = Partial<Record<Intl.DateTimeFormatPartTypes, string>>;

const partsOf = (clock: Intl.DateTimeFormat, seconds: number): Parts =>
  Object.fromEntries(clock.formatToParts(seconds * 1000).map(({ type, value }) => [type, value]));

function offsetAt(clock: Intl.DateTimeFormat, seconds: number): number {
  const { era, year, month, day, hour, minute, second } = partsOf(clock, seconds);
  const date = new Date(0);
  date.setUTCFullYear(era === 'BC' ? 1 - Number(year) : Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  return date.getTime() / 1000 - seconds;
}

function abbreviation(zone: string, clock: Intl.DateTimeFormat, seconds: number, offset: number): string {
  const [standard, saving] = ABBREVIATIONS.get(zone) ?? [];
  if (standard !== undefined && standard !== '-') {
    // Half a year earlier, a zone with daylight saving time has the other one.
    const isSaving = saving !== undefined && offset > offsetAt(clock, seconds - HALF_YEAR);
    return isSaving ? saving : standard;
  }
  for (const locale of standard === undefined ? LOCALES : []) {
    const name = partsOf(formatter(locale, zone), seconds).timeZoneName ?? '';
    if (/^[A-Z]{2,5}$/.test(name)) return name;
  }
  const minutes = Math.trunc(Math.abs(offset) / 60);
  const hours = String(Math.trunc(minutes / 60)).padStart(2, '0');
  const rest = minutes % 60 === 0 ? '' : String(minutes % 60).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${hours}${rest}`;
}
