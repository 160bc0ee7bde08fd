/**
 * What a container runs. Kubernetes rewrites `$$` and `$(NAME)` in commands, arguments and environment values, so every
 * `$` is doubled when a Job is made and halved when it is read (kubernetes-facts.md 17; kubernetes-objects.md section 1).
 */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { RunRecord } from './submission-record.ts';

/** What is to be run: one of `command` (a line for the shell) and `exe`, or neither for the image's own program. */
interface Run {
  readonly command: string;
  readonly exe: string;
  readonly args: readonly string[];
}

const SHELL = '/bin/sh';

// Most strings have none, and searching costs far less than replacing.
export const doubleDollars = (text: string): string => (text.includes('$') ? text.replaceAll('$', '$$$$') : text);
export const halveDollars = (text: string): string => (text.includes('$$') ? text.replaceAll('$$', '$') : text);

/** `command` and `args` of the container, and the record of what they were made from. */
export function containerCommand(run: Run): { container: Pick<Container, 'command' | 'args'>; record: RunRecord } {
  const args = run.args.map(doubleDollars);
  if (run.command !== '') {
    const line = [run.command, ...run.args].join(' ');
    return {
      container: { command: [SHELL], args: ['-c', doubleDollars(line)] },
      record: { run: 'command', ...(args.length === 0 ? {} : { split: run.args.map((arg) => arg.length) }) },
    };
  }
  const withArgs = args.length === 0 ? {} : { args };
  if (run.exe !== '') return { container: { command: [doubleDollars(run.exe)], ...withArgs }, record: { run: 'exe' } };
  return { container: withArgs, record: { run: 'image' } };
}

/** The Run of a container of ours (with its record) or of another plugin (without; its `$` are left alone). */
export function containerRun(container: Pick<Container, 'command' | 'args'>, record: RunRecord | undefined): Run {
  const undo = record === undefined ? (text: string): string => text : halveDollars;
  const command = (container.command ?? []).map(undo);
  const args = (container.args ?? []).map(undo);
  const isShell = command.length === 1 && command[0] === SHELL && args.length === 2 && args[0] === '-c';
  if (isShell && (record === undefined || record.run === 'command'))
    return splitLine(args[1] ?? '', record?.split ?? []);
  const [exe = '', ...rest] = command;
  return { command: '', exe, args: [...rest, ...args] };
}

/** Takes the arguments off the end of a command line; a line that an override changed is a command without arguments. */
function splitLine(line: string, lengths: readonly number[]): Run {
  const args: string[] = [];
  let end = line.length;
  for (const length of lengths.toReversed()) {
    const start = end - length;
    if (start < 1 || line[start - 1] !== ' ') return { command: line, exe: '', args: [] };
    args.unshift(line.slice(start, end));
    end = start - 1;
  }
  return { command: line.slice(0, end), exe: '', args };
}
