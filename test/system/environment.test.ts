/** Of what a process inherits, root keeps the variables on the list and nothing else; limits are read as they are. */
import t from 'tap';
import { CLEANED, cleanEnvironment, uncleanVariables, withCleanEnvironment } from '../../src/system/environment.ts';
import { openFileLimit } from '../../src/system/limits.ts';

const HOSTILE = {
  PATH: '/home/mallory/bin',
  LD_PRELOAD: '/home/mallory/evil.so',
  NODE_OPTIONS: '--require /home/mallory/evil.js',
  OPENSSL_CONF: '/home/mallory/openssl.cnf',
  UV_USE_IO_URING: '1',
  GCONV_PATH: '/home/mallory',
  HOME: '/root',
  LC_: 'x',
  LC_ALL: 'C.UTF-8',
  TZ: 'Europe/Zurich',
  LANG: 'de_CH.UTF-8',
  KUBERNETES_SERVICE_HOST: '10.0.0.1',
  KUBERNETES_SERVICE_PORT: '443',
  RSTUDIO_CONFIG_DIR: '/etc/here',
};
const CLEAN = {
  LC_ALL: 'C.UTF-8',
  TZ: 'Europe/Zurich',
  LANG: 'de_CH.UTF-8',
  KUBERNETES_SERVICE_HOST: '10.0.0.1',
  KUBERNETES_SERVICE_PORT: '443',
  RSTUDIO_CONFIG_DIR: '/etc/here',
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
};

t.test('an environment keeps what is on the list, and nothing else', async (t) => {
  t.strictSame(cleanEnvironment(HOSTILE), CLEAN);
  t.strictSame(uncleanVariables(HOSTILE), [
    'GCONV_PATH',
    'HOME',
    'LC_',
    'LD_PRELOAD',
    'NODE_OPTIONS',
    'OPENSSL_CONF',
    'PATH',
    'UV_USE_IO_URING',
  ]);
  t.strictSame(uncleanVariables(CLEAN), []);
  t.strictSame(uncleanVariables({}), [], 'env -i is clean');
});

t.test('root replaces itself once, then goes on or refuses', async (t) => {
  const replaced = new Error('replaced');
  const start = (environment: Record<string, string>, args: readonly string[], isRoot = true) => {
    const calls: unknown[] = [];
    const replace = (...call: unknown[]): never => {
      calls.push(call);
      throw replaced;
    };
    try {
      return withCleanEnvironment({ isRoot, environment, args, replace });
    } catch (error) {
      return error === replaced ? calls : error;
    }
  };
  t.strictSame(start(HOSTILE, ['--a=b']), [[[CLEANED, '--a=b'], CLEAN]]);
  t.strictSame(start(CLEAN, [CLEANED, '--a=b']), ['--a=b']);
  t.strictSame(start(CLEAN, ['--a=b']), ['--a=b']);
  t.strictSame(start(HOSTILE, ['--a=b'], false), ['--a=b'], 'others may keep theirs');
  t.match(start({ ...CLEAN, LD_AUDIT: '/x' }, [CLEANED]), {
    message: 'refusing to run as root: the environment still contains LD_AUDIT after it was cleaned',
  });
});

t.test('the limit of open files', async (t) => {
  const limits = (soft: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft.padEnd(20)} 524288               files     \n`;
  t.equal(openFileLimit(limits('1024')), 1024);
  t.equal(openFileLimit(limits('unlimited')), undefined);
  t.ok((openFileLimit() ?? 0) > 0, 'that of this process');
});
