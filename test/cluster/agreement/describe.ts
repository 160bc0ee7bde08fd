/**
 * What of an answer is compared, as text: status, headers that matter, body or frames without what is random.
 */
import { isObject, type Json } from '../api/patch.ts';
import type { CallAnswer } from '../testing.ts';
import { normal, normalText } from './normal.ts';
import type { Exchange } from './recordings.ts';
import type { WatchLine } from './stages.ts';

type Described = Pick<Exchange, 'status' | 'headers' | 'answer' | 'text' | 'frames' | 'lines'> & {
  readonly ended?: CallAnswer['end'];
};

export function describe({ status, headers = [], answer, text, frames, lines, ended }: Described): string {
  const compared = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name === 'content-type' || name === 'warning' || name === 'retry-after')
    .map(([name, value]) => `${name}: ${value}`);
  const body = answer !== undefined ? JSON.stringify(normal(answer), null, 1) : linesOf(text ?? '');
  return [
    status,
    ...compared.sort(),
    ...(lines === undefined ? [body] : news(lines.map(watchLine))),
    frames === undefined ? '' : channels(frames),
    ...(ended === undefined ? [] : [`end: ${ended}`]),
  ].join('\n');
}

/** An answer of the recorder: what is known of its end is compared where it is a stream. */
export function recordedAnswer(recorded: Exchange): string {
  const ended = endOf(recorded);
  return describe({ ...recorded, ...(ended === undefined ? {} : { ended }) });
}

/** How the body of a watch or a followed log ended; undefined for anything else. */
export function endOf({ status, path, end = '' }: Exchange): CallAnswer['end'] | undefined {
  if (status !== 200 || !/[?&](watch|follow)=true/.test(path ?? '')) return undefined;
  if (/client gave up|recorder/.test(end)) return 'ours';
  return end.startsWith('ABRUPT') ? 'broken' : 'clean';
}

function linesOf(text: string): string {
  return text.split('\n').map(normalText).slice(0, 100).join('\n');
}

/** When bookmarks come, and how often an object is written, depends on the moment. */
function news(lines: readonly string[]): string[] {
  return lines.filter((line) => line !== 'BOOKMARK').filter((line, index, all) => line !== all[index - 1]);
}

function watchLine({ type, object }: WatchLine): string {
  if (!isObject(object)) return type;
  const { message, code, metadata } = object;
  if (type === 'ERROR') return `${type} ${code} ${normalText(String(message)).replace(/version: \d+/, 'version: <n>')}`;
  const { name, annotations } = isObject(metadata) ? metadata : {};
  if (type === 'BOOKMARK') return annotations === undefined ? type : `${type} ${JSON.stringify(annotations)}`;
  return `${type} ${normalText(String(name))}`;
}

/** Frames of one channel as one text: where they are split is chance. */
function channels(frames: readonly (readonly [number, string])[]): string {
  const texts = new Map<number, string>();
  for (const [channel, text] of frames) texts.set(channel, (texts.get(channel) ?? '') + text);
  return [...texts]
    .filter(([channel]) => channel >= 0)
    .sort(([a], [b]) => a - b)
    .map(([channel, text]) => `${channel}: ${normalText(text)}`)
    .join('\n');
}

/** An answer of this cluster in the form of the recorded one. */
export function answered(recorded: Exchange, actual: CallAnswer): Described {
  const { answer, text, lines } = recorded;
  const headers = Object.entries(actual.headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((single) => [name, single] as const),
  );
  const ended = endOf(recorded) === undefined ? {} : { ended: actual.end };
  if (lines !== undefined) return { status: actual.status, headers, lines: parsed(actual.text), ...ended };
  // A body that the recorder kept as text is compared as text.
  const body =
    answer !== undefined && actual.body !== undefined
      ? { answer: actual.body as Json }
      : { text: text === undefined ? '' : actual.text.slice(0, 3000) };
  return { status: actual.status, headers, ...body, ...ended };
}

function parsed(text: string): WatchLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
