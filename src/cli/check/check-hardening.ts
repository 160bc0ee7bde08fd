/** Step of `check` about the running plugin: whether it started with no_new_privs, without core dumps and with few capabilities. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Options } from '../../config/options/options.ts';
import { EXECUTED_AGAIN, PREPARED } from '../../system/execute-again.ts';
import { PROGRAM } from '../version.ts';
import { type Checked, type Finding, ok, only, warning } from './check-report.ts';

/** chown, dac_override, setgid and setuid, which root needs until it drops privileges. */
const NEEDED_CAPABILITIES = 0xc3n;

const REMEDY = 'install setpriv and prlimit (util-linux), then restart the launcher';

/** Examines the plugin with these options if it runs; without findings if it does not. `proc`: for tests. */
export function checkRunningPlugin(options: Pick<Options, 'configFile' | 'pluginName'>, proc = '/proc'): Checked<true> {
  return only(
    ...readdirSync(proc)
      .filter((name) => /^\d+$/.test(name) && isPlugin(argumentsOf(`${proc}/${name}`), options))
      .flatMap((pid) => judge(pid, textOf(`${proc}/${pid}/status`), textOf(`${proc}/${pid}/limits`))),
  );
}

/** Is this the command line of the plugin with this name, or with this options file where the command line names one? */
function isPlugin(
  [program = '', ...args]: readonly string[],
  { configFile, pluginName }: Pick<Options, 'configFile' | 'pluginName'>,
): boolean {
  const isStarted = [EXECUTED_AGAIN, PREPARED].includes(args[0] ?? '');
  if (basename(program) !== PROGRAM || !isStarted || args[1]?.startsWith('-') === false) return false;
  const optionValue = (name: string): string | undefined =>
    args.find((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3);
  const file = optionValue('config-file');
  return file === undefined
    ? (optionValue('plugin-name') ?? 'kubernetes').toLowerCase() === pluginName
    : file === configFile;
}

function argumentsOf(directory: string): readonly string[] {
  return textOf(`${directory}/cmdline`).split('\0').slice(0, -1);
}

/** A process that has exited has no text. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function judge(pid: string, status: string, limits: string): readonly Finding[] {
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)$`, 'm').exec(status)?.[1] ?? '';
  if (field('NoNewPrivs') === '') return [];
  const bounding = BigInt(`0x${field('CapBnd') || '0'}`);
  const missing = [
    field('NoNewPrivs') === '1' ? '' : 'no_new_privs is not set',
    /^Max core file size +0 /m.test(limits) ? '' : 'core dumps are allowed',
    (bounding & ~NEEDED_CAPABILITIES) === 0n ? '' : `its bounding set is ${field('CapBnd')}`,
  ].filter(Boolean);
  if (missing.length === 0) {
    return [ok(`the running plugin (pid ${pid}) has no_new_privs, no core dumps and few capabilities to regain`)];
  }
  return [warning(`the running plugin (pid ${pid}): ${missing.join(', ')}`, REMEDY)];
}
