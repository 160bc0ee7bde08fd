/** The program executes itself again once: always as root, and as another user where it can be restricted further. */
import t from 'tap';
import { EXECUTED_AGAIN, executeAgain, PREPARED, restrictingCommand } from '../../src/system/execute-again.ts';

const HOSTILE = { PATH: '/home/mallory/bin', LD_PRELOAD: '/home/mallory/evil.so', TZ: 'UTC' };
const MALLOC = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536' };
const CLEAN = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TZ: 'UTC', ...MALLOC };
const COMMAND = ['/usr/bin/restrict', '--'];

/** The arguments that are returned, or how the program is executed again. */
function start(
  isRoot: boolean,
  environment: Record<string, string>,
  args: readonly string[],
  command = COMMAND,
): unknown {
  const replaced = new Error('replaced');
  let call: unknown;
  try {
    return executeAgain({
      isRoot,
      environment,
      args,
      restricting: (asRoot) => (asRoot === isRoot ? command : ['wrong']),
      replace: (...values) => {
        call = values;
        throw replaced;
      },
    });
  } catch (error) {
    if (error === replaced) return call;
    throw error;
  }
}

t.test('root executes itself again with a clean environment', async (t) => {
  t.same(start(true, HOSTILE, ['--a=b']), [COMMAND, [EXECUTED_AGAIN, '--a=b'], CLEAN]);
});

t.test('root does so with a clean environment too, because descriptors may be inherited', async (t) => {
  t.same(start(true, CLEAN, ['--a=b']), [COMMAND, [EXECUTED_AGAIN, '--a=b'], CLEAN]);
});

t.test('root does so without a restricting command', async (t) => {
  t.same(start(true, CLEAN, [], []), [[], [EXECUTED_AGAIN], CLEAN]);
});

t.test('the second execution returns the arguments', async (t) => {
  t.same(start(true, CLEAN, [EXECUTED_AGAIN, '--a=b']), ['--a=b']);
  t.same(start(false, HOSTILE, [EXECUTED_AGAIN, '--a=b']), ['--a=b']);
});

t.test('the second execution of root refuses an environment that is not clean', async (t) => {
  t.throws(() => start(true, { ...CLEAN, LD_AUDIT: '/x' }, [EXECUTED_AGAIN]), {
    message: 'refusing to run as root: the environment still contains LD_AUDIT after it was cleaned',
  });
});

t.test('after the first step of the executable nothing is executed again', async (t) => {
  t.same(start(true, CLEAN, [PREPARED, '--a=b']), ['--a=b']);
  t.same(start(false, HOSTILE, [PREPARED, '--a=b']), ['--a=b']);
});

t.test('after the first step root executes itself again if a value is not allowed', async (t) => {
  const { TZ: _, ...clean } = CLEAN;
  t.same(start(true, { ...CLEAN, TZ: '/dev/watchdog' }, [PREPARED, '--a=b']), [
    COMMAND,
    [EXECUTED_AGAIN, '--a=b'],
    clean,
  ]);
});

t.test('another user keeps the environment, with settings of malloc that it does not have', async (t) => {
  t.same(start(false, HOSTILE, ['--a=b']), [COMMAND, [EXECUTED_AGAIN, '--a=b'], { ...HOSTILE, ...MALLOC }]);
  const own = { ...HOSTILE, ...MALLOC, MALLOC_ARENA_MAX: '8' };
  t.same(start(false, own, ['--a=b']), [COMMAND, [EXECUTED_AGAIN, '--a=b'], own]);
});

t.test('another user executes nothing again if there is no restricting command', async (t) => {
  t.same(start(false, HOSTILE, ['--a=b'], []), ['--a=b']);
});

t.test('the restricting command of this host', async (t) => {
  const restrict = ['/usr/bin/prlimit', '--core=0', '/usr/bin/setpriv', '--no-new-privs', '--inh-caps=-all'];
  t.same(restrictingCommand(true), [...restrict, '--bounding-set=-all,+setuid,+setgid,+chown,+dac_override', '--']);
  t.same(restrictingCommand(false), [...restrict, '--']);
});
