/** Name services that hang: a user has one lookup at a time, nobody else waits, and no lookup outlives the plugin. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startEmptyCluster } from '../support/empty-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { createLauncher, type Launcher } from '../support/launcher.ts';
import { EXECUTABLE, type PluginProcess, startPlugin } from '../support/plugin.ts';

const skip = process.getuid?.() === 0 ? false : 'only root can replace getent and id';
const cluster = await startEmptyCluster();
t.teardown(cluster.close);

/** Stands in for getent and id: it never answers for names that begin with `hung`. */
const NAME_SERVICES = `#!/bin/sh
case "$1 $3" in
*" hung"*) exec sleep 300 ;;
"passwd "*) echo "$3:x:2001:2001::/:/bin/sh" ;;
"group "*) echo "$3:x:3001:" ;;
"-G "*) echo 2001 3001 ;;
esac
`;
const PROFILES = '[*]\nclaims=data-{group}\n[@staff]\nmax-cpus=4\n';

interface Started {
  readonly plugin: PluginProcess;
  readonly launcher: Launcher;
  /** Ids of the processes of lookups. */
  readonly lookups: () => readonly number[];
  /** Of those that do not answer. */
  readonly hung: () => readonly number[];
}

async function started(t: Test): Promise<Started> {
  const directory = t.testdir({});
  chmodSync(directory, 0o755);
  const program = join(directory, 'ask');
  writeFileSync(program, NAME_SERVICES);
  chmodSync(program, 0o755);
  const bind = 'mount --bind "$0" /usr/bin/getent && mount --bind "$0" /usr/bin/id && exec "$@"';
  const plugin = await startPlugin({
    options: cluster.options,
    files: { 'launcher.kubernetes.profiles.conf': PROFILES },
    command: ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', bind, program, EXECUTABLE],
  });
  t.teardown(plugin.close);
  const launcher = createLauncher(plugin.wire);
  await launcher.bootstrap();
  const lookups = (): readonly number[] => childrenOf(plugin.pid);
  return { plugin, launcher, lookups, hung: () => lookups().filter(isHung) };
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

function isHung(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === 'sleep\x00300\x00';
  } catch {
    return false;
  }
}

const requestNobodyAwaits = (request: Promise<unknown>): void => void request.catch(() => undefined);

t.test(
  'a user with jobs of 30 groups without an answer has one lookup, and another user has an answer',
  { skip },
  async (t) => {
    const { launcher, hung } = await started(t);
    for (let i = 0; i < 30; i++) {
      const job = { name: 'a', user: 'alice', group: `hung-${i}`, command: 'true', container: { image: 'busybox' } };
      requestNobodyAwaits(launcher.submit('alice', job));
    }
    await eventually(() => hung().length > 0);
    const { messageType } = await launcher.clusterInfo('bob');
    t.equal(messageType, 8);
    t.equal(hung().length, 1);
  },
);

t.test(
  '40 users without an answer have at most 12 lookups, and a user who was looked up before has an answer',
  { skip },
  async (t) => {
    const { launcher, hung } = await started(t);
    await launcher.clusterInfo('bob');
    for (let i = 0; i < 40; i++) requestNobodyAwaits(launcher.clusterInfo(`hung-${i}`));
    await eventually(() => hung().length > 4);
    const { messageType } = await launcher.clusterInfo('bob');
    t.equal(messageType, 8);
    // A lookup that was killed is not counted until it is reaped: it has no command line.
    t.ok(hung().length <= 12, `${hung().length} lookups`);
  },
);

t.test('70 users without an answer give up slots to a user who was never looked up', { skip }, async (t) => {
  const { plugin, launcher, hung } = await started(t);
  for (let i = 0; i < 70; i++) requestNobodyAwaits(launcher.clusterInfo(`hung-${i}`));
  await eventually(() => hung().length > 4);
  const { messageType } = await launcher.clusterInfo('carol');
  t.equal(messageType, 8);
  await plugin.logged(/no answer within 1 s, and other lookups wait/);
  t.ok(hung().length <= 12, `${hung().length} lookups`);
});

const ENDS: readonly [name: string, end: (plugin: PluginProcess) => void][] = [
  ['killed with SIGKILL', ({ kill }) => kill('SIGKILL')],
  ['ended by its launcher', ({ endInput }) => endInput()],
];
for (const [name, end] of ENDS) {
  t.test(`no lookup outlives a plugin that is ${name}`, { skip }, async (t) => {
    const { plugin, launcher, lookups, hung } = await started(t);
    for (let i = 0; i < 4; i++) requestNobodyAwaits(launcher.clusterInfo(`hung-${i}`));
    await eventually(() => hung().length === 4 && lookups().length === 4);
    const left = hung();
    end(plugin);
    await plugin.exit;
    await eventually(() => !left.some(isHung), 'no lookup runs', 2_000);
    t.equal(left.length, 4);
  });
}
