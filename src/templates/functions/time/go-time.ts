/** Go's time.Time as templates see it: printed form and methods. */
import { GoError } from '../../contract.ts';
import { define, int, type Parameter, string } from '../../definition.ts';
import { type GoFunction, GoObject, Sized } from '../../values.ts';
import { civilOf, inZone, type Moment, utcSeconds } from './civil.ts';
import { Duration, durationParameter } from './go-duration.ts';
import { formatTime } from './time-format.ts';
import { MONTHS, WEEKDAYS } from './time-layout.ts';
import { UTC } from './time-zones.ts';

const NANOS = 1_000_000_000n;
/** Seconds of the zero time, the first of January of the year 1. */
const ZERO_SECONDS = -62135596800;

export const ZERO_TIME: Moment = { seconds: ZERO_SECONDS, nanoseconds: 0, zone: UTC };

/** A time.Time. */
export class Time extends GoObject {
  readonly moment: Moment;

  constructor(moment: Moment) {
    const methods = methodsOf(moment).map((method): [string, GoFunction] => [method.name, method]);
    super({
      type: 'time.Time',
      kind: 'struct',
      text: formatTime(moment, '2006-01-02 15:04:05.999999999 -0700 MST'),
      methods: new Map(methods),
    });
    this.moment = moment;
  }
}

/** As time.RFC3339Nano, for JSON. */
export function jsonTime({ moment }: Time): string {
  const { year } = civilOf(moment);
  if (year < 0 || year > 9999) throw new GoError('Time.MarshalJSON: year outside of range [0,9999]');
  return formatTime(moment, '2006-01-02T15:04:05.999999999Z07:00');
}

export const timeParameter: Parameter<Moment> = {
  type: 'time.Time',
  read: (value) => (value instanceof Time ? value.moment : ZERO_TIME),
};

const nanosOf = ({ seconds, nanoseconds }: Moment): bigint => BigInt(seconds) * NANOS + BigInt(nanoseconds);

export function addDuration(moment: Moment, duration: bigint): Moment {
  const total = nanosOf(moment) + duration;
  const nanoseconds = ((total % NANOS) + NANOS) % NANOS;
  return { seconds: Number((total - nanoseconds) / NANOS), nanoseconds: Number(nanoseconds), zone: moment.zone };
}

const MAX_DURATION = 2n ** 63n - 1n;

/** As Time.Sub, which stops at the longest duration. */
export function difference(a: Moment, b: Moment): bigint {
  const nanoseconds = nanosOf(a) - nanosOf(b);
  if (nanoseconds > MAX_DURATION) return MAX_DURATION;
  return nanoseconds < -MAX_DURATION ? -MAX_DURATION - 1n : nanoseconds;
}

const named = (type: string, value: number, text: string): GoObject =>
  new GoObject({
    type,
    kind: 'int',
    value: BigInt(value),
    text,
    methods: new Map(define('String', [], () => text).map((method) => [method.name, method])),
  });

function methodsOf(moment: Moment): readonly GoFunction[] {
  const civil = () => civilOf(moment);
  const number = (field: 'year' | 'day' | 'hour' | 'minute' | 'second' | 'yearDay') => () => BigInt(civil()[field]);
  const nanos = () => nanosOf(moment);
  const int64 = (value: bigint): Sized => new Sized('int64', value);
  const inUtc = () => new Time({ ...moment, zone: UTC });
  return [
    ...define('String', [], () => formatTime(moment, '2006-01-02 15:04:05.999999999 -0700 MST')),
    ...define('Format', [string], ([layout]) => formatTime(moment, layout)),
    ...define('Year', [], number('year')),
    ...define('Month', [], () => named('time.Month', civil().month, MONTHS[civil().month - 1] ?? '')),
    ...define('Day', [], number('day')),
    ...define('Hour', [], number('hour')),
    ...define('Minute', [], number('minute')),
    ...define('Second', [], number('second')),
    ...define('Nanosecond', [], () => BigInt(moment.nanoseconds)),
    ...define('Weekday', [], () => named('time.Weekday', civil().weekday, WEEKDAYS[civil().weekday] ?? '')),
    ...define('YearDay', [], number('yearDay')),
    ...define('Unix', [], () => int64(BigInt(moment.seconds))),
    ...define('UnixMilli', [], () =>
      int64(BigInt(moment.seconds) * 1000n + BigInt(Math.trunc(moment.nanoseconds / 1e6))),
    ),
    ...define('UnixMicro', [], () =>
      int64(BigInt(moment.seconds) * 1000000n + BigInt(Math.trunc(moment.nanoseconds / 1e3))),
    ),
    ...define('UnixNano', [], () => int64(nanos())),
    ...define('IsZero', [], () => moment.seconds === ZERO_SECONDS && moment.nanoseconds === 0),
    ...define('UTC', [], inUtc),
    ...define('Local', [], inUtc),
    ...define('Add', [durationParameter], ([duration]) => new Time(addDuration(moment, duration))),
    ...define('AddDate', [int, int, int], ([years, months, days]) => {
      const { year, month, day, hour, minute, second } = civil();
      const local = utcSeconds(year + Number(years), month + Number(months), day + Number(days), hour, minute, second);
      return new Time({ ...moment, seconds: inZone(local, moment.zone) });
    }),
    ...define('Sub', [timeParameter], ([other]) => new Duration(difference(moment, other))),
    ...define('Before', [timeParameter], ([other]) => nanos() < nanosOf(other)),
    ...define('After', [timeParameter], ([other]) => nanos() > nanosOf(other)),
    ...define('Equal', [timeParameter], ([other]) => nanos() === nanosOf(other)),
  ];
}
