/** `npm run cluster` says what it does, writes options that work, and leaves nothing behind when it has ended. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { compileCache, EXECUTABLE, withEnvironment } from '../support/plugin.ts';
import { readArguments } from './arguments.ts';
import { launcherConfig, writeFiles } from './config.ts';

function temporary(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'cluster-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  return directory;
}

function commandIn(directory: string, args: readonly string[]): [program: string, args: string[]] {
  const main = join(import.meta.dirname, 'main.ts');
  const environment = { PATH: process.env['PATH'] ?? '', TMPDIR: directory, ...compileCache() };
  return withEnvironment(environment, [process.execPath, main, ...args]);
}

/** Resolves with what it says in the beginning. */
async function started(child: ChildProcess): Promise<string> {
  let said = '';
  for await (const text of child.stdout ?? []) {
    said += String(text);
    if (said.includes('CLUSTER_NAMESPACE=')) break;
  }
  return said;
}

t.test('what is typed wrongly: one sentence, the usage, exit code 2', async (t) => {
  const cases: readonly (readonly [args: readonly string[], sentence: string])[] = [
    [['--port', 'abc'], '--port must be a whole number from 0 to 65535, not abc'],
    [['--port', '70000'], '--port must be a whole number from 0 to 65535, not 70000'],
    [['--nodes', '0'], '--nodes must be a whole number from 1 to 250, not 0'],
    [['--speed', '0'], '--speed must be a number from 0.001 to 1000000, not 0'],
    [['--fault', 'gone=2'], '--fault gone=P must be a number from 0 to 1, not 2'],
    [['--rights', 'all'], '--rights must be one of smallest, documented, chart, not all'],
    [['--nosuch'], "Unknown option '--nosuch'"],
    [['--port'], "Option '--port <value>' argument missing"],
    [['here'], "Unexpected argument 'here'"],
  ];
  for (const [args, message] of cases) t.throws(() => readArguments(args), { name: 'UsageError', message });
  t.throws(() => readArguments(['--fault', 'nosuch']), {
    message: /^--fault must be one of unauthorized, .*, replayedEvent, not nosuch$/,
  });

  const [program, args] = commandIn(temporary(t), ['--nosuch']);
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  t.equal(status, 2);
  t.equal(stdout, '');
  t.match(stderr, /^npm run cluster: Unknown option '--nosuch'\n\nUsage: npm run cluster -- \[options\]\n/);
  t.match(stderr, / {2}--help {11}this text\n$/);
});

t.test('a port that is used: one sentence, exit code 1, nothing left behind', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const directory = temporary(t);
  const [program, args] = commandIn(directory, ['--port', String(port)]);
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  t.equal(status, 1);
  t.equal(stderr, `npm run cluster: port ${port} is used already: take another one, or leave --port out\n`);
  t.strictSame(readdirSync(directory), []);
});

t.test('the options file', async (t) => {
  const cluster = { url: 'https://127.0.0.1:1', token: 'TOKEN', ca: 'PEM', namespace: 'rstudio' };
  t.strictSame(launcherConfig(cluster, '/files', 'nobody').split('\n'), [
    '# Written by npm run cluster, and written anew when it is started with this directory again.',
    'api-url=https://127.0.0.1:1',
    'auth-token=TOKEN',
    'certificate-authority=UEVN',
    'kubernetes-namespace=rstudio',
    'server-user=nobody',
    'logging-dir=/files/log',
    'scratch-path=/files/scratch',
    '',
  ]);
});

t.test(
  '--files: a directory with files of another user is left as it is, one of an earlier start is used again',
  async (t) => {
    const cluster = { url: 'https://127.0.0.1:1', token: 'TOKEN', ca: 'PEM', namespace: 'rstudio' };
    const directory = temporary(t);
    writeFileSync(join(directory, 'launcher.kubernetes.conf'), 'api-url=https://kubernetes.example.com\n');
    const [program, args] = commandIn(temporary(t), ['--files', directory]);
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    t.equal(status, 1);
    t.equal(
      stderr,
      `npm run cluster: ${directory} holds files that are not of npm run cluster: name another directory, or empty it\n`,
    );
    t.strictSame(readdirSync(directory), ['launcher.kubernetes.conf']);

    rmSync(join(directory, 'launcher.kubernetes.conf'));
    writeFiles(directory, cluster);
    writeFileSync(join(directory, 'launcher.kubernetes.profiles.conf'), '[*]\n');
    writeFiles(directory, { ...cluster, token: 'SECOND' });
    t.equal(readFileSync(join(directory, 'token'), 'utf8'), 'SECOND');
  },
);

for (const where of ['a temporary directory', '--files'] as const) {
  t.test(`check is all right with the configuration in ${where}`, async (t) => {
    const directory = temporary(t);
    const [program, args] = commandIn(directory, where === '--files' ? ['--files', join(directory, 'files')] : []);
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('close', resolve));
    t.teardown(() => child.kill('SIGKILL'));
    const configFile = /--config-file=(\S+)/.exec(await started(child))?.[1];
    const check = spawnSync(EXECUTABLE, ['check', `--config-file=${configFile}`], { encoding: 'utf8' });
    t.strictSame(
      check.stdout
        .split('\n')
        .filter((line) => !/^ok {7}|^warning {2}root-on-node|^[12] warnings?, 2[0-2] ok|^$/.test(line)),
      [],
    );
    t.equal(check.status, 0, check.stderr);
    child.kill('SIGTERM');
    child.kill('SIGTERM');
    t.equal(await ended, 0);
    t.strictSame(readdirSync(directory), where === '--files' ? ['files'] : []);
  });
}

t.test('--rights documented: all accounts of the namespace are its administrators', async (t) => {
  const subjects = (args: readonly string[]) =>
    readArguments(args)
      .rules('r')
      .map(({ subject }) => subject);
  t.strictSame([...new Set(subjects([]))], ['system:serviceaccount:r:job-launcher']);
  t.strictSame([...new Set(subjects(['--rights', 'documented']))], ['system:serviceaccounts:r']);
});
