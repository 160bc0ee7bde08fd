/**
 * The executable on a real pseudo-terminal, which `script` of util-linux makes: first contact, live tables, questions and
 * Ctrl-C. Needs `script` (package util-linux; util-linux-script on some systems).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { EXECUTABLE } from '../support/plugin.ts';
import { directoryOf } from './harness.ts';
import { startJobsCluster } from './jobs-cluster.ts';

const SCRIPT = ['/usr/bin/script', '/bin/script'].find((path) => existsSync(path));
const skip = SCRIPT === undefined ? 'script (util-linux) is not installed' : false;

interface Session {
  readonly child: ChildProcess;
  readonly type: (text: string) => void;
  /** Resolves with all output so far when it matches. */
  readonly until: (pattern: RegExp) => Promise<string>;
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

/** Runs the executable on a terminal of 80 columns and 24 lines; `first`: commands of the shell before. */
function terminal(t: Test, args: readonly string[], first = ''): Session {
  const command = `stty cols 80 rows 24; ${first} exec ${[EXECUTABLE, ...args].map((arg) => `'${arg}'`).join(' ')}`;
  const child = spawn(SCRIPT ?? '', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: '/usr/bin:/bin', TERM: 'xterm', SHELL: '/bin/sh' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  const checks = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    for (const check of checks) check();
  });
  return {
    child,
    type: (text) => child.stdin.write(text),
    until: (pattern) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!pattern.test(output)) return;
          checks.delete(check);
          resolve(output);
        };
        checks.add(check);
        check();
      }),
    ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, output }))),
  };
}

const CTRL_C = '\u0003';

t.test('without an argument, the plugin is not started', { skip }, async (t) => {
  const { code, output } = await terminal(t, []).ended;
  t.equal(code, 2);
  t.equal(
    output,
    'rstudio-kubernetes-launcher: the Job Launcher starts this program and talks to it over stdin; at a terminal, use a command such as check or jobs; see --help\r\n',
  );
});

t.test('an unknown option has a suggestion', { skip }, async (t) => {
  for (const [typed, sentence] of [
    ['--verison', 'unknown option --verison (did you mean "version"?); see --help'],
    ['--log-levl=DEBUG', 'unknown option --log-levl (did you mean "log-level"?); see --help'],
  ] as const) {
    const { code, output } = await terminal(t, [typed]).ended;
    t.strictSame([code, output], [2, `rstudio-kubernetes-launcher: ${sentence}\r\n`]);
  }
});

for (const typed of ['-h', 'help', '--help']) {
  t.test(`${typed} prints the help`, { skip }, async (t) => {
    const { code, output } = await terminal(t, [typed]).ended;
    t.equal(code, 0);
    t.match(output, 'rstudio-kubernetes-launcher: Kubernetes plugin of the Job Launcher.');
  });
}

t.test('on a cluster', { skip }, async (t) => {
  const { options, submit, untilRunning, close } = await startJobsCluster();
  t.teardown(close);
  const { configFile, path } = directoryOf(t, { options: { ...options, 'logging-dir': 'DIR/log' } });
  const config = `--config-file=${configFile}`;
  const session = async (t: Test): Promise<string> => {
    const id = await submit(
      t,
      { name: 'Session', exe: 'sleep', args: ['600'], container: { image: 'busybox' } },
      'jane',
    );
    await untilRunning(id);
    return id;
  };

  await t.test('jobs --watch draws a table again, and Ctrl-C ends it', async (t) => {
    const first = await session(t);
    const { until, type, ended } = terminal(t, ['jobs', '--watch', config]);
    const screen = await until(new RegExp(`${first} +Running +jane`));
    t.match(screen, 'Jobs in namespace rstudio. Ctrl-C ends.');
    const second = await submit(t, { name: 'Later', command: 'true', container: { image: 'missing/image' } }, 'eve');
    const redrawn = await until(new RegExp(`${second} +Pending +eve`));
    const lines = redrawn.split('\r\n').map((line) => line.replace(/\u001b\[[0-9;]*[A-Za-z]/g, ''));
    t.ok(lines.every((line) => line.length <= 80));
    type(CTRL_C);
    t.equal((await ended).code, 0);
  });

  await t.test('jobs --watch has the width of a resized terminal', async (t) => {
    await session(t);
    const resized = join(path, 'resize');
    const later = `(while [ ! -e ${resized} ]; do sleep 0.1; done; stty cols 40 </dev/tty) &`;
    const { until, type, ended } = terminal(t, ['jobs', '--watch', '-o', 'wide', config], later);
    await until(/\nID[^\n]* TAGS /);
    writeFileSync(resized, '');
    await until(/\nID[^\n]{37}\u2026/);
    type(CTRL_C);
    t.equal((await ended).code, 0);
  });

  await t.test('kill asks on the terminal', async (t) => {
    const id = await session(t);
    const { until, type, ended } = terminal(t, ['kill', id, config]);
    await until(/kill this job\? \[y\/N\] /);
    type('y\n');
    const { code, output } = await ended;
    t.equal(code, 0);
    t.match(output, `${id} killed\r\n`);
  });

  await t.test('Ctrl-C at the question changes nothing', async (t) => {
    const id = await session(t);
    const { until, type, ended } = terminal(t, ['kill', id, config]);
    await until(/\[y\/N\] /);
    type(CTRL_C);
    t.not((await ended).code, 0);
    const { code } = await terminal(t, ['logs', id, config]).ended;
    t.equal(code, 0);
  });

  await t.test('logs -f shows the output as it comes', async (t) => {
    const id = await submit(
      t,
      { name: 'x', command: 'echo hello; sleep 600', container: { image: 'busybox' } },
      'jane',
    );
    await untilRunning(id);
    const { until, type, ended } = terminal(t, ['logs', '-f', id, config]);
    await until(/hello\r\n/);
    type(CTRL_C);
    t.equal((await ended).code, 0);
  });
  t.ok(existsSync(path));
});
