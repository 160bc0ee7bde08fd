/** Times as commands print them: ages as kubectl has them, and points in time in UTC. */

/** `45s`, `12m`, `3h`, `8d`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `90s`, `15m`, `2h`, `7d`; undefined if it is no such text. */
export function parseAge(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const factor = UNITS[unit];
  return number === undefined || factor === undefined ? undefined : Number(number) * factor;
}

/** `2026-11-23T23:21:51Z (20s ago)`. */
export function whenText(at: number, now: number): string {
  return `${new Date(at).toISOString().replace(/\.\d+/, '')} (${ageText(now - at)} ago)`;
}

/** `23:21:53Z`, with the date if that is not today; undefined if it is no time. */
export function clockText(time: string, now: number): string | undefined {
  const at = Date.parse(time);
  if (Number.isNaN(at)) return undefined;
  const [date = '', clock = ''] = new Date(at).toISOString().replace(/\.\d+/, '').split('T');
  return new Date(now).toISOString().startsWith(date) ? clock : `${date}T${clock}`;
}
