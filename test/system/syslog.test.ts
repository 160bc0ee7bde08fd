/** Log lines reach syslog through one child process, with their priority; the child is started again when it exits. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { openSyslog } from '../../src/system/syslog.ts';
import { eventually } from '../support/eventually.ts';
import { fakeClock } from '../support/fake-clock.ts';

/** In place of /dev/log; the programs below do not use it. */
const SOCKET = '/dev/null';

/** A program in place of /usr/bin/logger, and the file that it writes its arguments and input to. */
function fakeLogger(test: Test, script: string): { logger: string; output: () => string } {
  const directory = test.testdir({});
  const logger = `${directory}/logger`;
  const file = `${directory}/output`;
  writeFileSync(logger, `#!/bin/sh\n${script.replaceAll('FILE', file)}\n`);
  chmodSync(logger, 0o755);
  return { logger, output: () => (existsSync(file) ? readFileSync(file, 'utf8') : '') };
}

t.test('each line has the priority of its level in facility daemon', async (t) => {
  const { logger, output } = fakeLogger(t, 'echo "$@" >FILE; exec cat >>FILE');
  const syslog = openSyslog({ program: 'plugin', clock: fakeClock(), logger, socket: SOCKET });
  for (const level of ['ERROR', 'WARNING', 'INFO', 'DEBUG'] as const) syslog.write([`a ${level}`], level);
  syslog.close();
  const lines = '<27>a ERROR\n<28>a WARNING\n<30>a INFO\n<31>a DEBUG\n';
  t.ok(await eventually(() => output() === `--prio-prefix --tag plugin\n${lines}`));
});

t.test('a child that exits is started again, once a second', async (t) => {
  const { logger, output } = fakeLogger(t, 'head -n 1 >>FILE');
  const clock = fakeClock();
  const syslog = openSyslog({ program: 'plugin', clock, logger, socket: SOCKET });
  syslog.write(['one'], 'INFO');
  const failure = await eventually(() => {
    try {
      syslog.write(['more'], 'INFO');
      return false;
    } catch (error) {
      return error;
    }
  });
  t.match(failure, { message: `${logger} exited with code 0` });
  clock.advance(1_000);
  syslog.write(['two'], 'INFO');
  t.ok(await eventually(() => output() === '<30>one\n<30>two\n'));
});

t.test('a host without logger', async (t) => {
  t.throws(() => openSyslog({ program: 'plugin', clock: fakeClock(), logger: '/nonexistent/logger', socket: SOCKET }), {
    message: '/nonexistent/logger does not exist: install util-linux, or change logging.conf',
  });
});

t.test('a host without a syslog server, where logger would drop all lines', async (t) => {
  const { logger } = fakeLogger(t, 'cat');
  t.throws(() => openSyslog({ program: 'plugin', clock: fakeClock(), logger, socket: '/nonexistent/log' }), {
    message: '/nonexistent/log does not exist: start a syslog server, or change logging.conf',
  });
});

t.test('lines up to 1 MB wait for a slow child', async (t) => {
  const { logger, output } = fakeLogger(t, 'sleep 0.2; exec cat >>FILE');
  const syslog = openSyslog({ program: 'plugin', clock: fakeClock(), logger, socket: SOCKET });
  const line = 'x'.repeat(10_000);
  for (let i = 0; i < 50; i++) syslog.write([line], 'INFO');
  syslog.close();
  t.ok(await eventually(() => output().length === 50 * 10_005));
});

t.test('a child that does not read is killed, with the lines that wait for it', async (t) => {
  const { logger, output } = fakeLogger(t, 'echo $$ >FILE; exec sleep 600');
  const clock = fakeClock();
  const syslog = openSyslog({ program: 'plugin', clock, logger, socket: SOCKET });
  const pid = Number(await eventually(() => output().trim()));
  const failed = t.throws(
    () => {
      for (let i = 0; i < 50; i++) syslog.write(['x'.repeat(100_000)], 'INFO');
    },
    { message: `${logger} does not read its input` },
  );
  t.ok(failed);
  syslog.close();
  t.ok(await eventually(() => !existsSync(`/proc/${pid}`)));
});
