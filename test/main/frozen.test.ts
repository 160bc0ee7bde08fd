/** The log reports once that the API server, or the launcher, stopped without closing its connections, and once that it is back. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createLauncher } from '../support/launcher.ts';
import { startPlugin } from '../support/plugin.ts';

/** A simulated cluster in a process of its own, and the options that lead to it. */
async function clusterProcess(t: Test): Promise<{ cluster: ChildProcess; options: Record<string, string> }> {
  const directory = t.testdir();
  chmodSync(directory, 0o755);
  const main = join(import.meta.dirname, '../cluster/main.ts');
  const cluster = spawn(process.execPath, [main, '--files', directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => cluster.once('exit', resolve));
  t.teardown(async () => {
    cluster.kill('SIGCONT');
    cluster.kill('SIGTERM');
    await ended;
  });
  let said = '';
  for await (const text of cluster.stdout ?? []) {
    said += String(text);
    if (said.includes('CLUSTER_NAMESPACE=')) break;
  }
  const [, file = ''] = /--config-file=(\S+)/.exec(said) ?? [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const names = ['api-url', 'auth-token', 'certificate-authority', 'kubernetes-namespace'];
  const pairs = lines.map((line): [string, string] => [
    line.slice(0, line.indexOf('=')),
    line.slice(line.indexOf('=') + 1),
  ]);
  return { cluster, options: Object.fromEntries(pairs.filter(([name]) => names.includes(name))) };
}

/** The lines of the log at WARNING or about the end of an outage, without times. */
function outages(log: string): readonly string[] {
  return log
    .split('\n')
    .map((line) =>
      line
        .slice(line.indexOf('] ') + 2)
        .replace(/since: [^,]*/, 'since: T')
        .replace(/seconds: \d+/, 'seconds: N'),
    )
    .filter((line) => /^WARNING |^INFO (API server reachable|Launcher reads) again/.test(line));
}

t.jobs = 2;

t.test('a frozen API server: one WARNING, jobs are listed meanwhile, one line at its end', async (t) => {
  const { cluster, options } = await clusterProcess(t);
  const plugin = await startPlugin({ options: { ...options, 'log-level': 'WARNING' } });
  t.teardown(plugin.close);
  const launcher = createLauncher(plugin.wire);
  await launcher.bootstrap();
  const { id } = await launcher.submit('jane', { name: 'job', container: { image: 'busybox' }, command: 'sleep 1000' });
  cluster.kill('SIGSTOP');
  await plugin.logged(/ API server unreachable/);
  t.strictSame(
    (await launcher.jobs('jane')).map((job) => job.id),
    [id],
    'from memory',
  );
  cluster.kill('SIGCONT');
  await plugin.logged(/ API server reachable again/);
  const [warning = '', end, ...others] = outages(plugin.log());
  t.match(
    warning,
    /^WARNING API server unreachable; retrying \[since: T, meanwhile: "running jobs continue; lists show the last known state of each job; submit, stop, kill and output wait, then fail"\]/,
  );
  t.equal(end, 'INFO API server reachable again [seconds: N]');
  t.strictSame(others, []);
});

t.test('a launcher that does not read: one WARNING, one line when it reads again', async (t) => {
  const options = {
    'api-url': 'http://127.0.0.1:9',
    'auth-token': 'none',
    'kubernetes-namespace': 'rstudio',
    'log-level': 'ERROR',
  };
  const plugin = await startPlugin({ options });
  t.teardown(plugin.close);
  await createLauncher(plugin.wire).bootstrap();
  plugin.setReading(false);
  for (let count = 0; count < 20_000; count++) plugin.wire.send({ messageType: 0, requestId: 0 });
  await plugin.logged(/ Launcher does not read/);
  plugin.setReading(true);
  await plugin.logged(/ Launcher reads again/);
  t.strictSame(
    outages(plugin.log()).filter((line) => line.includes('Launcher')),
    [
      'WARNING Launcher does not read the answers of the plugin; waiting for it [since: T, meanwhile: "jobs continue and are followed; answers, states and output wait"]',
      'INFO Launcher reads again [seconds: N]',
    ],
  );
});
