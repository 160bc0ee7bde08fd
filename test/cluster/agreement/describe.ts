/**
 * What of an answer is compared, as text: status, headers that matter, body or frames without what is random.
 */
import type { Json } from '../api/patch.ts';
import type { CallAnswer } from '../testing.ts';
import { normal, normalText } from './normal.ts';
import type { Exchange } from './recordings.ts';

export function describe({
  status,
  headers = [],
  answer,
  text,
  frames,
}: Pick<Exchange, 'status' | 'headers' | 'answer' | 'text' | 'frames'>): string {
  const compared = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name === 'content-type' || name === 'warning' || name === 'retry-after')
    .map(([name, value]) => `${name}: ${value}`);
  const lines = (text ?? '').split('\n').map(normalText).slice(0, 100);
  const body = answer !== undefined ? JSON.stringify(normal(answer), null, 1) : lines.join('\n');
  const streams = frames === undefined ? '' : channels(frames);
  return [status, ...compared.sort(), body, streams].join('\n');
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
export function answered(
  { answer, text }: Exchange,
  actual: CallAnswer,
): Pick<Exchange, 'status' | 'headers' | 'answer' | 'text'> {
  const headers = Object.entries(actual.headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((single) => [name, single] as const),
  );
  // A body that the recorder kept as text is compared as text.
  const body =
    answer !== undefined && actual.body !== undefined
      ? { answer: actual.body as Json }
      : { text: text === undefined ? '' : actual.text.slice(0, 3000) };
  return { status: actual.status, headers, ...body };
}
