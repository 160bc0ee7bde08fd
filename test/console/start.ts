/**
 * `npm start`: builds what is missing, starts the simulated cluster, starts the built executable on it exactly as a
 * launcher would, and talks to it: as a console in a terminal, else as a tour that exits non-zero if anything was not as
 * it should be.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { errorMessage } from '../../src/system/errors.ts';
import { escapeControls } from '../../src/system/escape.ts';
import { JOBS, SECRETS } from '../cluster/api/resources.ts';
import { startCluster } from '../cluster/cluster.ts';
import { createLauncher } from '../support/launcher.ts';
import { type PluginProcess, startPlugin } from '../support/plugin.ts';
import { runConsole } from './console.ts';
import { tour } from './tour.ts';

const began = performance.now();
const interactive = process.stdin.isTTY && process.stdout.isTTY;
/** `npm start -- --templates`: the templates of fixtures/templates make the jobs. */
const withTemplates = process.argv.includes('--templates');
const TEMPLATES = join(import.meta.dirname, '../../fixtures/templates');
const color = process.stdout.isTTY && !process.env['NO_COLOR'];

function say(sentence: string): void {
  const seconds = `${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s`;
  console.log(`${color ? `\u001b[90m${seconds}\u001b[0m` : seconds}  ${escapeControls(sentence)}`);
}

function detail(text: string): void {
  console.log(`          | ${escapeControls(text)}`);
}

say('Building what is missing or outdated');
const build = spawn(process.execPath, [join(import.meta.dirname, '../../build/build.ts'), '--if-stale'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const built = once(build, 'close');
for await (const line of createInterface(build.stdout)) say(line);
const [status] = await built;
if (status !== 0) process.exit(1);

/** 128 and its number, as shells say it of a program that a signal ended. */
class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: keyof typeof constants.signals) {
    super(`ended by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

const interrupted = new AbortController();
// The first one counts; what comes while everything is taken down changes nothing: Ctrl-C reaches npm and this process,
// and npm hands it on.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => interrupted.abort(new Interrupted(signal)));
}
// A closed terminal or pipe: nobody reads this any more.
for (const stream of [process.stdin, process.stdout, process.stderr]) {
  stream.on('error', () => interrupted.abort(new Interrupted('SIGPIPE')));
}
const interruption = new Promise<never>((_, reject) => {
  interrupted.signal.addEventListener('abort', () => reject(interrupted.signal.reason));
});
interruption.catch(() => undefined);

const cluster = await startCluster({ programs: join(import.meta.dirname, '../../fixtures/images') });
cluster.store.create(SECRETS, {
  // What the sample job secrets-and-mounts.json reads.
  metadata: { name: 'warehouse', namespace: cluster.namespace },
  data: {
    username: Buffer.from('loader').toString('base64'),
    password: Buffer.from('correct horse').toString('base64'),
  },
});
say(`A simulated Kubernetes cluster listens on ${cluster.url}`);
if (withTemplates) say(`The templates of ${TEMPLATES} make the jobs`);

let plugin: Promise<PluginProcess> | undefined;

async function start(): Promise<PluginProcess> {
  // The tour does not know that it was interrupted, and would start the plugin again.
  interrupted.signal.throwIfAborted();
  plugin = startPlugin({
    options: {
      'api-url': cluster.url,
      'auth-token': cluster.token,
      'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
      'kubernetes-namespace': cluster.namespace,
      ...(withTemplates ? { 'use-templating': '1', 'template-path': TEMPLATES } : {}),
    },
  });
  const { pid, wire, directory } = await plugin;
  const { version } = (await createLauncher(wire).bootstrap()) as { version?: Record<string, number> };
  say(
    `The plugin is process ${pid}, configured by ${directory.configFile} as long as it runs; ` +
      `it speaks API ${version?.['major']}.${version?.['minor']}.${version?.['patch']}`,
  );
  return await plugin;
}

async function consoleOf({ wire, exit }: PluginProcess): Promise<void> {
  const ended = exit.then(({ code, signal }) => `the plugin ended with ${signal ?? `exit code ${code}`}`);
  const reason = Promise.race([ended, interruption.catch((error: Error) => error.message)]);
  const title = `Job Launcher console  ${cluster.url}`;
  await runConsole(createLauncher(wire), title, process.stdin, process.stdout, reason, templateLines);
}

/** What job.tpl wrote into the pod of a job. */
function templateLines(id: string): readonly string[] {
  if (!withTemplates) return [];
  const annotations = cluster.store.get(JOBS, cluster.namespace, id)?.spec?.template.metadata?.annotations ?? {};
  const written = Object.entries(annotations).filter(([key]) => key.startsWith('site/'));
  return [
    '',
    `Made by ${TEMPLATES}/job.tpl, which writes these annotations:`,
    ...written.map((each) => each.join(': ')),
  ];
}

async function tourOf(first: PluginProcess): Promise<void> {
  // The launcher of the stage changes with each restart.
  let current = first;
  let launcher = createLauncher(current.wire);
  const restart = async (): Promise<void> => {
    await current.close();
    current = await start();
    launcher = createLauncher(current.wire);
  };
  await tour({ launcher: () => launcher, restart }, { say, detail });
  say('All of it was as it should be');
}

/** Ends and removes all that was started. Rejects if the plugin's log holds secrets. */
async function end(): Promise<void> {
  const closed = plugin?.then(
    (started) => started.close(),
    () => undefined,
  );
  await Promise.allSettled([closed, cluster.close()]);
  await closed;
}

async function report(error: unknown): Promise<number> {
  if (error instanceof Interrupted) return error.exitCode;
  const started = await plugin?.catch(() => undefined);
  console.error(`This was not as it should be: ${errorMessage(error)}`);
  console.error(started?.stderr() ?? '');
  console.error(started?.log().split('\n').slice(-30).join('\n') ?? '');
  return 1;
}

try {
  const run = start().then(interactive ? consoleOf : tourOf);
  // A console is waited for: it leaves the terminal as it was.
  await (interactive ? run : Promise.race([run, interruption]));
  interrupted.signal.throwIfAborted();
} catch (error) {
  process.exitCode = await report(error);
}
try {
  await end();
} catch (error) {
  process.exitCode = await report(error);
}
// What the tour waits for would keep the process for another minute.
if (interrupted.signal.aborted) process.exit();
