/** `npm start` as a process: however it is ended, nothing of it stays behind. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { compileCache, withEnvironment } from '../support/plugin.ts';

const root = join(import.meta.dirname, '../..');

/** What npm itself leaves in the directory. */
const OF_NPM = ['npm', 'node-compile-cache'];

/** Starts a command with an empty directory for temporary files, and waits for what it says. */
function startIn(t: Test, command: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'console-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  const path = `${join(root, 'node_modules/.bin')}:${process.env['PATH']}`;
  const environment = {
    PATH: path,
    HOME: directory,
    TMPDIR: directory,
    NO_COLOR: '1',
    npm_config_cache: join(directory, 'npm'),
    ...compileCache(),
  };
  const [program, args] = withEnvironment(environment, command);
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const says = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      for (const look of says) look();
    });
  }
  return {
    child,
    said: () => said,
    saying: (text: string) =>
      new Promise<void>((resolve) => {
        says.add(() => said.includes(text) && resolve());
      }),
    exit: new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      child.on('close', (code, signal) => resolve({ code, signal }));
    }),
    left: () => readdirSync(directory).filter((name) => !OF_NPM.includes(name)),
  };
}

t.jobs = 3;

const TOUR = [process.execPath, 'test/console/start.ts'];

for (const [signal, code, moment] of [
  ['SIGHUP', 129, 'A simulated Kubernetes cluster listens'],
  ['SIGINT', 130, '| step load'],
  ['SIGTERM', 143, 'It is Running'],
] as const) {
  t.test(`${signal} at "${moment}"`, async (t) => {
    const { child, said, saying, exit, left } = startIn(t, TOUR);
    await saying(moment);
    child.kill(signal);
    child.kill(signal);
    t.strictSame(await exit, { code, signal: null }, said());
    t.strictSame(left(), []);
    t.notMatch(said(), /as it should be|Error/);
    const pid = /The plugin is process (\d+)/.exec(said())?.[1];
    t.notOk(pid !== undefined && existsSync(`/proc/${pid}`), 'the plugin has ended');
  });
}

t.test('the tour with jobs that the sample templates make', async (t) => {
  const { said, exit, left } = startIn(t, [...TOUR, '--templates']);
  t.strictSame(await exit, { code: 0, signal: null }, said());
  t.match(said(), /The templates of .*\/fixtures\/templates make the jobs/);
  t.match(said(), 'All of it was as it should be');
  t.strictSame(left(), []);
});

t.test('SIGTERM to npm', async (t) => {
  const { child, said, saying, exit, left } = startIn(t, ['npm', 'start']);
  await saying('It is Running');
  child.kill('SIGTERM');
  t.strictSame(await exit, { code: 143, signal: null }, said());
  t.strictSame(left(), []);
});

t.test('nobody reads what it says', async (t) => {
  const { child, saying, exit, left } = startIn(t, TOUR);
  await saying('listens');
  child.stdout.destroy();
  t.strictSame(await exit, { code: 141, signal: null });
  t.strictSame(left(), []);
});
