/** Contestants: each a process of its own, made alike (bundled, as the executable is), measured by the operating system. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { withMallocSettings } from '../../src/system/environment.ts';
import type { Findings, Task } from './contestants/talk.ts';
import { cpuSeconds, memory } from './usage.ts';

const NAMES = [
  'informer',
  'watch',
  'reflector',
  'lines',
  'parse',
  'hold-informers',
  'hold-jobs',
  'keep-jobs',
  'fetch',
  'posts',
  'log',
] as const;

export type ContestantName = (typeof NAMES)[number];

export interface Measured {
  /** CPU seconds between ready and done; of its lifetime if it never says that it is ready. */
  readonly cpu: number;
  /** Most resident memory in MB, of its lifetime. */
  readonly peak: number;
  readonly findings: Findings;
}

export interface Contestants {
  /** `begin` is called when it is ready. */
  readonly run: (name: ContestantName, task: Partial<Task>, begin?: () => Promise<void>) => Promise<Measured>;
}

/** As the executable is started and sets itself (process-limits.ts, environment.ts), and with a way to collect garbage on purpose. */
const { execArgv }: { execArgv: readonly string[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../sea-config.json'), 'utf8'),
);
const OURS: ReadonlySet<ContestantName> = new Set(['reflector', 'hold-jobs', 'keep-jobs']);
const NODE_OPTIONS = (name: ContestantName): readonly string[] => [
  '--expose-gc',
  ...(OURS.has(name) ? [...execArgv, '--heap-growing-percent=100'] : ['--max-old-space-size=12000']),
];

export async function makeContestants(directory: string): Promise<Contestants> {
  await build({
    entryPoints: NAMES.map((name) => join(import.meta.dirname, 'contestants', `${name}.ts`)),
    outdir: directory,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    logLevel: 'error',
    define: {
      'process.env.WS_NO_BUFFER_UTIL': '"1"',
      'process.env.WS_NO_UTF_8_VALIDATE': '"1"',
      'import.meta.dirname': JSON.stringify(import.meta.dirname),
    },
  });

  return {
    run: async (name, task, begin) => {
      const args = [...NODE_OPTIONS(name), join(directory, `${name}.cjs`), JSON.stringify(task)];
      const env = OURS.has(name) ? withMallocSettings(process.env) : process.env;
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
      const pid = child.pid ?? 0;
      const ended = new Promise<never>((_, reject) => {
        child.on('exit', () => reject(new Error(`the contestant ${name} ended early`)));
      });
      ended.catch(() => undefined);
      const kill = (): void => void child.kill('SIGKILL');
      process.once('exit', kill);
      let before = 0;
      try {
        for await (const line of createInterface(child.stdout)) {
          const said = JSON.parse(line) as { ready?: true; done?: Findings };
          if (said.ready) {
            before = cpuSeconds(pid);
            child.stdin.write('begin\n');
            await Promise.race([begin?.(), ended]);
          }
          if (said.done !== undefined) {
            return { cpu: cpuSeconds(pid) - before, peak: memory(pid).peak, findings: said.done };
          }
        }
        return await ended;
      } finally {
        process.off('exit', kill);
        kill();
      }
    },
  };
}
