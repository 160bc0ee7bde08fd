/** sprig's functions that cut, wrap and indent strings by their bytes: abbrev, abbrevboth, wrap, wrapWith, trunc, substr, indent. */

import { byteLength, fromBytes, sliceBytes, toBytes } from '../bytes.ts';
import { GoError } from '../contract.ts';
import type { Budget } from '../values.ts';

const outOfRange = (bounds: string): GoError => new GoError(`runtime error: slice bounds out of range ${bounds}`);

/** As `text[start:end]` of Go; an end that is left out is the length. */
function slice(text: string, start: number, end: number | undefined): string {
  const length = byteLength(text);
  const stop = end ?? length;
  if (stop < 0) throw outOfRange(`[:${stop}]`);
  if (stop > length) throw outOfRange(`[:${stop}] with length ${length}`);
  if (start < 0) throw outOfRange(`[${start}:]`);
  if (start > stop) throw outOfRange(`[${start}:${stop}]`);
  return sliceBytes(text, start, stop);
}

export function substring(start: number, end: number, text: string): string {
  if (start < 0) return slice(text, 0, end);
  return slice(text, start, end < 0 || end > byteLength(text) ? undefined : end);
}

export function truncate(count: number, text: string): string {
  const length = byteLength(text);
  if (count < 0) return length + count > 0 ? sliceBytes(text, length + count, length) : text;
  return length > count ? sliceBytes(text, 0, count) : text;
}

export function abbreviate(text: string, left: number, width: number): string {
  if (text === '' || width < 4) return '';
  const length = byteLength(text);
  if (length <= width) return text;
  const offset = Math.min(Math.min(left, length), length - (width - 3));
  if (offset <= 4) return `${sliceBytes(text, 0, width - 3)}...`;
  if (width < 7) return '';
  if (offset + width - 3 < length) return `...${abbreviate(sliceBytes(text, offset, length), 0, width - 3)}`;
  return `...${sliceBytes(text, length - (width - 3), length)}`;
}

/** Wraps at spaces; a word longer than a line is cut if `cut` is set. */
export function wrap(text: string, width: number, newLine: string, cut: boolean, budget: Budget): string {
  const columns = Math.max(width, 1);
  // One character for each byte.
  const bytes = Buffer.from(toBytes(text)).toString('latin1');
  const between = Buffer.from(toBytes(newLine === '' ? '\n' : newLine)).toString('latin1');
  const lines: string[] = [];
  let at = 0;
  const line = (end: number, next: number): void => {
    budget.step();
    budget.reserve(end - at + between.length);
    lines.push(bytes.slice(at, end));
    at = next;
  };
  while (bytes.length - at > columns) {
    if (bytes[at] === ' ') {
      at++;
      continue;
    }
    const space = bytes.slice(at, at + columns + 1).lastIndexOf(' ');
    if (space >= 0) {
      line(at + space, at + space + 1);
    } else if (cut) {
      line(at + columns, at + columns);
    } else {
      const next = bytes.indexOf(' ', at + columns);
      if (next < 0) break;
      line(next, next + 1);
    }
  }
  const rest = bytes.slice(at);
  return fromBytes(Buffer.from([...lines, rest].join(between), 'latin1'));
}

export function repeatText(text: string, count: number, budget: Budget): string {
  if (count < 0) throw new GoError('strings: negative Repeat count');
  budget.reserve(byteLength(text) * count);
  return text.repeat(count);
}

export function indent(spaces: number, text: string, budget: Budget): string {
  const pad = repeatText(' ', spaces, budget);
  const lines = text.split('\n');
  budget.reserve(text.length + lines.length * pad.length);
  return pad + lines.join(`\n${pad}`);
}
