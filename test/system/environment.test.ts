/** Root keeps the allowed variables of an inherited environment and nothing else. */
import t from 'tap';
import { cleanEnvironment, uncleanVariables } from '../../src/system/environment.ts';

const HOSTILE = {
  PATH: '/home/mallory/bin',
  LD_PRELOAD: '/home/mallory/evil.so',
  NODE_OPTIONS: '--require /home/mallory/evil.js',
  OPENSSL_CONF: '/home/mallory/openssl.cnf',
  UV_USE_IO_URING: '1',
  GCONV_PATH: '/home/mallory',
  HOME: '/root',
  MALLOC_ARENA_MAX: '64',
  MALLOC_CHECK_: '3',
  constructor: 'x',
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
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '65536',
};
const CONSTANTS = ['MALLOC_ARENA_MAX', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'PATH'];

t.test('keeps allowed variables only', async (t) => {
  t.strictSame(cleanEnvironment(HOSTILE), CLEAN);
  t.strictSame(uncleanVariables(HOSTILE), [
    'GCONV_PATH',
    'HOME',
    'LC_',
    'LD_PRELOAD',
    'MALLOC_ARENA_MAX',
    'MALLOC_CHECK_',
    'NODE_OPTIONS',
    'OPENSSL_CONF',
    'PATH',
    'UV_USE_IO_URING',
    'constructor',
  ]);
  t.strictSame(uncleanVariables(CLEAN), []);
  t.strictSame(uncleanVariables({}), [], 'env -i is clean');
});

for (const path of ['/dev/watchdog', ':/tmp/x', ':../../tmp/x', '../../../tmp/x'])
  t.test(`does not keep a path as time zone: ${path}`, async (t) => {
    t.strictSame(Object.keys(cleanEnvironment({ TZ: path })).sort(), CONSTANTS);
    t.strictSame(uncleanVariables({ TZ: path }), ['TZ']);
  });

for (const [name, path] of Object.entries({ LANG: '/tmp/x', LC_ALL: '../x', LC_MESSAGES: 'x'.repeat(65) }))
  t.test(`does not keep a path as locale: ${name}`, async (t) => {
    t.strictSame(Object.keys(cleanEnvironment({ [name]: path })).sort(), CONSTANTS);
    t.strictSame(uncleanVariables({ [name]: path }), [name]);
  });

t.test('keeps the user behind sudo, which decides where a token may be sent', async (t) => {
  t.equal(cleanEnvironment({ SUDO_UID: '1001' })['SUDO_UID'], '1001');
});
