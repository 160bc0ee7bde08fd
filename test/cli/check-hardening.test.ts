/** Step `hardening`: the running plugin with these options is found by its command line and judged by /proc. */
import t, { type Test } from 'tap';
import { checkRunningPlugin } from '../../src/cli/check/check-hardening.ts';

const OPTIONS = { configFile: '/etc/rstudio/launcher.kubernetes.conf', pluginName: 'kubernetes' };
const HARDENED = 'Name:\tx\nCapBnd:\t00000000000000c3\nNoNewPrivs:\t1\n';
const NO_CORE = 'Max core file size        0                    unlimited            bytes     \n';

interface Shown {
  readonly args?: readonly string[];
  readonly status?: string;
  readonly limits?: string;
}

/** Findings for a /proc with one process. */
function findings(
  test: Test,
  { args = ['--environment-cleaned'], status = HARDENED, limits = NO_CORE }: Shown,
): string[] {
  const cmdline = ['/usr/sbin/rstudio-kubernetes-launcher', ...args, ''].join('\0');
  const proc = test.testdir({ self: {}, '7': {}, '42': { cmdline, status, limits } });
  return checkRunningPlugin(OPTIONS, proc).findings.map(({ status: level, found, remedy = '' }) =>
    [level, found, remedy].join(' | '),
  );
}

const FOUND = ['ok | the running plugin (pid 42) has no_new_privs, no core dumps and few capabilities to regain | '];

t.test('a plugin with all restrictions', async (t) => {
  t.same(findings(t, {}), FOUND);
});

t.test('a plugin that machine code prepared before Node.js, on x86-64', async (t) => {
  t.same(
    findings(t, { args: ['--environment-cleaned-before-node', '--config-file=/etc/rstudio/launcher.kubernetes.conf'] }),
    FOUND,
  );
});

t.test('what is missing is one warning', async (t) => {
  const status = HARDENED.replace('NoNewPrivs:\t1', 'NoNewPrivs:\t0').replace('00c3', '15fb');
  t.same(findings(t, { status, limits: NO_CORE.replace(' 0 ', 'unlimited ') }), [
    'warning | the running plugin (pid 42): no_new_privs is not set, core dumps are allowed, its bounding set is 00000000000015fb | install setpriv and prlimit (util-linux), then restart the launcher',
  ]);
});

t.test('the plugin is found by its name, or by the options file that its command line names', async (t) => {
  const found = (...args: string[]): number => findings(t, { args: ['--environment-cleaned', ...args] }).length;
  t.equal(found('--plugin-name=Kubernetes', '--server-user=rstudio-server'), 1);
  t.equal(found('--plugin-name=Gpu'), 0);
  t.equal(found(`--config-file=${OPTIONS.configFile}`, '--plugin-name=Gpu'), 1);
  t.equal(found('--config-file=/other.conf'), 0);
  t.equal(found('check'), 0, 'a command');
});

t.test('other programs, and processes that have exited, have no findings', async (t) => {
  t.same(findings(t, { args: [] }), []);
  t.same(findings(t, { status: '' }), []);
});
