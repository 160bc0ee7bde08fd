/** sprig's functions of dates. The time is fixed for a rendering; the local zone is UTC. */
import { GoError } from '../contract.ts';
import { any, define, string } from '../definition.ts';
import { parseGoInt } from '../go-numbers.ts';
import { type Context, type GoFunction, Sized, type Value } from '../values.ts';
import type { Moment } from './time/civil.ts';
import { formatDuration, parseDuration, roundDuration } from './time/go-duration.ts';
import { addDuration, difference, Time, timeParameter, ZERO_TIME } from './time/go-time.ts';
import { formatTime } from './time/time-format.ts';
import { parseTime } from './time/time-parse.ts';
import { loadZone, UTC } from './time/time-zones.ts';

const SECOND = 1_000_000_000n;
const HTML = '2006-01-02';

const at = (seconds: bigint): Moment => ({ seconds: Number(seconds), nanoseconds: 0, zone: UTC });

const now = ({ now: milliseconds }: Context): Moment => {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.round((milliseconds - seconds * 1000) * 1e6), zone: UTC };
};

const int64Of = (value: Value): bigint | undefined =>
  value instanceof Sized && value.kind === 'int64' && typeof value.value === 'bigint' ? value.value : undefined;

/** Seconds since 1970 or a time; anything else is the current time. */
function momentOf(value: Value, context: Context): Moment {
  if (value instanceof Time) return value.moment;
  if (typeof value === 'bigint') return at(value);
  if (value instanceof Sized && (value.kind === 'int64' || value.kind === 'int32') && typeof value.value === 'bigint') {
    return at(value.value);
  }
  return now(context);
}

const inZone = (layout: string, value: Value, zone: string, context: Context): string =>
  formatTime({ ...momentOf(value, context), zone: loadZone(zone) ?? UTC }, layout);

/** The result, or a replacement where Go ignores the error. */
function orElse<T>(compute: () => T, replacement: T): T {
  try {
    return compute();
  } catch (error) {
    if (error instanceof GoError) return replacement;
    throw error;
  }
}

/** The largest unit that is exceeded, and how often. */
function roundedDuration(nanoseconds: bigint): string {
  const value = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const hour = 3600n * SECOND;
  const units: readonly (readonly [string, bigint])[] = [
    ['y', 24n * 365n * hour],
    ['mo', 24n * 30n * hour],
    ['d', 24n * hour],
    ['h', hour],
    ['m', 60n * SECOND],
    ['s', SECOND],
  ];
  const [name, size] = units.find(([, each]) => value > each) ?? ['s', 0n];
  return size === 0n ? '0s' : `${value / size}${name}`;
}

function nanosecondsOf(value: Value, context: Context): bigint {
  if (typeof value === 'string') return orElse(() => parseDuration(value), 0n);
  if (value instanceof Time) return difference(now(context), value.moment);
  return int64Of(value) ?? 0n;
}

export const DATE_FUNCTIONS: readonly GoFunction[] = [
  ...define('now', [], (_none, context) => new Time(now(context))),
  ...define('date', [string, any], ([layout, value], context) => inZone(layout, value, 'Local', context)),
  ...define('dateInZone date_in_zone', [string, any, string], ([layout, value, zone], context) =>
    inZone(layout, value, zone, context),
  ),
  ...define('htmlDate', [any], ([value], context) => inZone(HTML, value, 'Local', context)),
  ...define('htmlDateInZone', [any, string], ([value, zone], context) => inZone(HTML, value, zone, context)),
  ...define(
    'dateModify date_modify',
    [string, timeParameter],
    ([duration, time]) =>
      new Time(
        addDuration(
          time,
          orElse(() => parseDuration(duration), 0n),
        ),
      ),
  ),
  ...define(
    'mustDateModify must_date_modify',
    [string, timeParameter],
    ([duration, time]) => new Time(addDuration(time, parseDuration(duration))),
  ),
  ...define('toDate', [string, string], ([layout, text]) => new Time(orElse(() => parseTime(layout, text), ZERO_TIME))),
  ...define('mustToDate', [string, string], ([layout, text]) => new Time(parseTime(layout, text))),
  ...define('unixEpoch', [timeParameter], ([time]) => String(time.seconds)),
  ...define('ago', [any], ([value], context) => {
    // Unlike in `date`, an int32 is the current time.
    const isInt32 = value instanceof Sized && value.kind === 'int32';
    const elapsed = isInt32 ? 0n : difference(now(context), momentOf(value, context));
    return formatDuration(roundDuration(elapsed, SECOND));
  }),
  ...define('duration', [any], ([value]) => {
    const seconds = typeof value === 'string' ? parseGoInt(value, 10).value : (int64Of(value) ?? 0n);
    return formatDuration(BigInt.asIntN(64, seconds * SECOND));
  }),
  ...define('durationRound', [any], ([value], context) => roundedDuration(nanosecondsOf(value, context))),
];
