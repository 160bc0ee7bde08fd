/**
 * `kill ... -1` is never handed to the operating system, where it would end everything its user may signal. It is
 * recognised here and carried out on the processes of the container alone.
 */
import { constants } from 'node:os';

type KillReading =
  /** Exactly one `kill` of -1: to be carried out by the kubelet. */
  | { readonly type: 'kill'; readonly signal: NodeJS.Signals | 0 }
  /** Something that may signal far more than it should, in a form that is not understood. */
  | { readonly type: 'refused'; readonly why: string }
  | { readonly type: 'harmless' };

const SHELLS = /^(.*\/)?(sh|bash|dash|ash|busybox)$/;
const KILL = /^(.*\/)?kill$/;
const DANGEROUS = /kill[^;&|\n]*?(^|[\s(,'"\\])-1\b|\b(pkill|killall5?|skill)\b/;

export function readKill(command: readonly string[]): KillReading {
  const words = wordsOf(command);
  if (words !== undefined) {
    const signal = signalOf(words);
    if (signal !== undefined) return { type: 'kill', signal };
  }
  if (DANGEROUS.test(command.join(' '))) {
    return {
      type: 'refused',
      why: 'the simulated kubelet runs no command that may signal processes beyond its container',
    };
  }
  return { type: 'harmless' };
}

/** The words of a single command: given as such, or as the text of `sh -c`. */
function wordsOf(command: readonly string[]): readonly string[] | undefined {
  const [program = '', option, text] = command;
  if (SHELLS.test(program) && option === '-c' && text !== undefined) {
    const words = text
      .trim()
      .replace(/^exec\s+/, '')
      .split(/\s+/);
    return words.every((word) => /^[\w./=-]+$/.test(word)) ? words : undefined;
  }
  return command;
}

function signalOf([program = '', ...args]: readonly string[]): NodeJS.Signals | 0 | undefined {
  if (!KILL.test(program)) return undefined;
  const words = args[0] === '-s' ? [`-${args[1]}`, ...args.slice(2)] : args;
  const [first = '', second, third] = words;
  if (words.length === 1 && first === '--') return undefined;
  if (words.length === 2 && first === '--' && second === '-1') return 'SIGTERM';
  if (words.length === 2 && second === '-1') return signalNamed(first.slice(1));
  if (words.length === 3 && second === '--' && third === '-1') return signalNamed(first.slice(1));
  return undefined;
}

function signalNamed(name: string): NodeJS.Signals | 0 | undefined {
  if (name === '0') return 0;
  const full = name.startsWith('SIG') ? name : `SIG${name}`;
  const found = Object.entries(constants.signals).find(([key, number]) => key === full || String(number) === name);
  return found === undefined ? undefined : (found[0] as NodeJS.Signals);
}
