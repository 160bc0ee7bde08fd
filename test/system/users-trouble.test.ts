/** Lookups of users when the host itself is in trouble: no descriptors left and programs that do not end. */
import { ChildProcess, execFile } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { promisify } from 'node:util';
import t from 'tap';
import { systemClock } from '../../src/system/clock.ts';
import { createUsers } from '../../src/system/users.ts';

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
