/** Lookups of users when the host itself is in trouble: no descriptors left, programs that do not end, a directory that is down. */
import { ChildProcess, execFile } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import t from 'tap';
import { systemClock } from '../../src/system/clock.ts';
import { createUsers } from '../../src/system/users.ts';
import { fakeClock } from '../support/fake-clock.ts';

const CLOCK = new URL('../../src/system/clock.ts', import.meta.url).href;
const USERS = new URL('../../src/system/users.ts', import.meta.url).href;

t.test('no descriptors left: the lookup fails, the process goes on, and the next one succeeds', async (t) => {
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { systemClock } from ${JSON.stringify(CLOCK)};
    import { createUsers } from ${JSON.stringify(USERS)};
    const users = createUsers({ clock: systemClock, getent: '/bin/false', timeoutMs: 200 });
    const ask = () => users.user('jane').catch(({ name, message }) => console.log(name + ': ' + message));
    const opened = [];
    try { for (;;) opened.push(openSync('/dev/null')); } catch {}
    await ask();
    opened.forEach((descriptor) => closeSync(descriptor));
    await sleep(300);
    await ask();`;
  const limited = ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, script];
  const { stdout, stderr } = await promisify(execFile)('/bin/sh', limited).catch((error) => error);
  t.equal(
    stdout,
    'UserLookupError: /bin/false could not be run: spawn /bin/false EMFILE\n' +
      'UserLookupError: /bin/false passwd gave no answer: exit code 1\n',
  );
  t.equal(stderr, '');
});

t.test('a program that not even SIGKILL ends keeps nobody waiting', async (t) => {
  const program = `${t.testdir({ ask: '#!/bin/sh\nexec sleep 3\n' })}/ask`;
  chmodSync(program, 0o755);
  const killed: ChildProcess[] = [];
  // Stands in for a process that sleeps in the kernel: the signal is sent, and nothing happens.
  t.intercept(ChildProcess.prototype, 'kill', {
    value(this: ChildProcess) {
      killed.push(this);
      return true;
    },
  });
  const users = createUsers({ clock: systemClock, getent: program, timeoutMs: 100 });
  await t.rejects(users.user('jane'), { name: 'UserLookupError', message: `${program} gave no answer within 0.1 s` });
  t.strictSame(
    killed.map(({ exitCode, signalCode }) => ({ exitCode, signalCode })),
    [{ exitCode: null, signalCode: null }],
    'it runs on',
  );
  process.kill(killed[0]?.pid ?? 0, 'SIGKILL');
});

t.test('an old "no such user" does not stand in for an answer, an old user does', async (t) => {
  const directory = t.testdir();
  const program = `${directory}/ask`;
  writeFileSync(program, `#!/bin/sh\nif [ -e ${directory}/$3 ]; then . ${directory}/$3; else exit 2; fi\n`);
  chmodSync(program, 0o755);
  const clock = fakeClock();
  const users = createUsers({ clock, getent: program, id: program });
  writeFileSync(`${directory}/jane`, 'if [ $1 = passwd ]; then echo jane:x:7:8::/:/bin/sh; else echo 8 9; fi\n');
  const jane = { name: 'jane', uid: 7, gid: 8, groups: new Set([8, 9]) };
  t.same([await users.user('jane'), await users.user('john')], [jane, undefined]);

  clock.advance(60_000);
  writeFileSync(`${directory}/jane`, 'exit 1\n');
  writeFileSync(`${directory}/john`, 'exit 1\n');
  t.same(await users.user('jane'), jane);
  await t.rejects(users.user('john'), { message: `${program} passwd gave no answer: exit code 1` });

  rmSync(`${directory}/jane`);
  t.equal(await users.user('jane'), undefined, 'a definite no');
  clock.advance(10_000);
  writeFileSync(`${directory}/jane`, 'exit 1\n');
  await t.rejects(users.user('jane'), { message: `${program} passwd gave no answer: exit code 1` }, 'nobody any more');
});
