/** What jobs kill stays within their containers: the hard safety rule. */
import { spawn } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import t from 'tap';
import { createGuard } from './kubelet/guard.ts';
import { readKill } from './kubelet/kill.ts';
import { listProcesses, membersOf } from './kubelet/processes.ts';

t.test('the guard refuses pid -1, 0, 1, itself, groups and processes that it does not know', (t) => {
  const sent: number[] = [];
  const guard = createGuard((pid) => sent.push(pid));
  for (const pid of [-1, 0, 1, -1234, Number.NaN, process.pid, process.ppid]) {
    t.throws(() => guard.signal(pid, 'SIGKILL'), { message: /^the guard refuses to signal/ }, `signal ${pid}`);
    t.throws(() => guard.register(pid), { message: /^the guard refuses to signal/ }, `register ${pid}`);
  }
  t.throws(() => guard.signal(999_999_999, 'SIGKILL'), { message: /not a process of a container/ });
  t.strictSame(sent, []);
  guard.register(999_999_998);
  guard.signal(999_999_998, 'SIGKILL');
  t.strictSame(sent, [999_999_998]);
  guard.forget(999_999_998);
  t.throws(() => guard.signal(999_999_998, 'SIGKILL'), { message: /not a process of a container/ });
  t.end();
});

t.test('a registered process that has ended is no error', async (t) => {
  const child = spawn('/bin/true');
  const guard = createGuard();
  const pid = child.pid ?? 0;
  guard.register(pid);
  await new Promise((resolve) => child.on('close', resolve));
  t.equal(guard.signal(pid, 'SIGTERM'), false);
});

const READINGS: readonly (readonly [command: readonly string[], reading: object])[] = [
  [['kill', '-KILL', '-1'], { type: 'kill', signal: 'SIGKILL' }],
  [['/bin/kill', '-9', '-1'], { type: 'kill', signal: 'SIGKILL' }],
  [['kill', '-s', 'TERM', '-1'], { type: 'kill', signal: 'SIGTERM' }],
  [['kill', '-SIGSTOP', '--', '-1'], { type: 'kill', signal: 'SIGSTOP' }],
  [['kill', '--', '-1'], { type: 'kill', signal: 'SIGTERM' }],
  [['kill', '-0', '-1'], { type: 'kill', signal: 0 }],
  [['sh', '-c', 'kill -KILL -1'], { type: 'kill', signal: 'SIGKILL' }],
  [['/bin/sh', '-c', ' exec kill -USR1 -1 '], { type: 'kill', signal: 'SIGUSR1' }],
  [['sh', '-c', 'echo x; kill -9 -1'], { type: 'refused' }],
  [['sh', '-c', 'kill -9 "-1"'], { type: 'refused' }],
  [['sh', '-c', 'kill -9 -1 || true'], { type: 'refused' }],
  [['python3', '-c', 'import os; os.kill(-1, 9)'], { type: 'refused' }],
  [['Rscript', '-e', 'tools::pskill(-1)'], { type: 'refused' }],
  [['pkill', '-u', 'nobody'], { type: 'refused' }],
  [['sh', '-c', 'killall5 -9'], { type: 'refused' }],
  [['env', 'kill', '-KILL', '-1'], { type: 'refused' }],
  [['kill', '-NOSUCH', '-1'], { type: 'refused' }],
  [['sh', '-c', 'sleep 5 & kill -KILL $!'], { type: 'harmless' }],
  [['kill', '-TERM', '17'], { type: 'harmless' }],
  [['/bin/echo', '-1'], { type: 'harmless' }],
];

t.test('a kill of -1 is recognized, or refused, never handed on', (t) => {
  for (const [command, reading] of READINGS) t.match(readKill(command), reading, command.join(' '));
  t.end();
});

t.test('a simulator that is killed leaves no processes behind', async (t) => {
  const script = `
    import { createReaper } from './test/cluster/kubelet/reaper.ts';
    import { spawn } from 'node:child_process';
    const child = spawn('/bin/sleep', ['300'], { detached: true, stdio: 'ignore' });
    createReaper().watch(child.pid);
    process.stdout.write(String(child.pid));
    setInterval(() => {}, 1000);
  `;
  const simulator = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<number>((resolve) => simulator.stdout.once('data', (data) => resolve(Number(data))));
  t.ok(listProcesses().some((one) => one.pid === pid));
  simulator.kill('SIGKILL');
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
  t.pass('gone');
});

t.test('a session has its processes and everything below them, also without its leader', async (t) => {
  const processes = [
    { pid: 501, parent: 1, session: 500, startedAt: 11 },
    { pid: 502, parent: 501, session: 502, startedAt: 12 },
    { pid: 600, parent: 1, session: 600, startedAt: 13 },
  ];
  t.strictSame(membersOf(new Map([[500, 10]]), processes), [501, 502]);
});

t.test('a process that got the pid of a leader that has ended is not of its session', async (t) => {
  const processes = [
    { pid: 500, parent: 1, session: 500, startedAt: 99 },
    { pid: 501, parent: 500, session: 500, startedAt: 100 },
  ];
  t.strictSame(membersOf(new Map([[500, 10]]), processes), []);
});

/** Not even as a zombie that nobody waits for. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`) && readlinkOrNothing(`/proc/${pid}/exe`) !== undefined;
}

function readlinkOrNothing(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // A process that has ended has no program any more.
    return undefined;
  }
}
