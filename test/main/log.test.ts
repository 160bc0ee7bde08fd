/** The log says what an administrator must know, at any level, and goes where and as far as the settings in force say. */
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../cluster/cluster.ts';
import { optionsFor } from '../cluster/config.ts';
import { eventually } from '../support/eventually.ts';
import type { Launcher } from '../support/launcher.ts';
import { EXECUTABLE, writeConfig } from '../support/plugin.ts';
import { start } from './launched.ts';

const cluster = await startCluster();
t.teardown(() => cluster.close());
t.jobs = 3;

const sleeper = { container: { image: 'busybox' }, exe: '/bin/sh', args: ['-c', 'while :; do sleep 0.1; done'] };

/** Resolves when the job is in that state. */
function until(launcher: Launcher, user: string, id: string, state: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = launcher.status(
      user,
      id,
      ({ status }) => {
        if (status !== state) return;
        stream.cancel();
        resolve();
      },
      reject,
    );
  });
}

t.test('at ERROR: what an administrator must know, and a line for all that is done to jobs', async (t) => {
  const { plugin, launcher } = await start(t, cluster, { options: { 'log-level': 'ERROR' } });
  const ids: string[] = [];
  for (const operation of ['stop', 'kill', 'cancel'] as const) {
    const { id } = await launcher.submit('jane', {
      ...sleeper,
      name: operation,
      host: operation === 'cancel' ? 'nowhere' : '',
    });
    ids.push(id);
    if (operation !== 'cancel') await until(launcher, 'jane', id, 'Running');
    await launcher.control('jane', id, operation);
  }
  await t.rejects(launcher.control('jane', ids[2] ?? '', 'stop'));
  await t.rejects(launcher.submit('jane', { name: 'evil \u001b[2J, user: root\n', command: 'true' }));
  plugin.kill('SIGHUP');
  await plugin.logged(/ Reloaded /);
  plugin.kill('SIGTERM');
  await plugin.exit;
  const all = plugin
    .log()
    .trimEnd()
    .split('\n')
    .map((line) => {
      const masked = ids.reduce((text, id, index) => text.replace(id, `JOB-${index}`), line);
      const [, rest = masked] =
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[rstudio-kubernetes-launcher\] (.*)/.exec(masked) ?? [];
      return rest.replace(/version: [^,]+, node: 24[.\d]+, uid: \d+/, 'version: V, node: N, uid: U');
    });
  // The version of the cluster is asked for meanwhile.
  const synced = `INFO Synced with the cluster [url: ${cluster.url}, namespace: ${cluster.namespace}, kubernetes: v1.36.2]`;
  t.equal(all.filter((line) => line === synced).length, 1);
  const lines = all.filter((line) => line !== synced);
  const who = 'user: jane, requester: jane';
  t.strictSame(lines, [
    'INFO Started [version: V, node: N, uid: U]',
    `INFO Submitted a job [${who}, name: stop, image: busybox, job: JOB-0]`,
    `INFO Stopped a job [${who}, job: JOB-0, image: busybox]`,
    `INFO Submitted a job [${who}, name: kill, image: busybox, job: JOB-1]`,
    `INFO Killed a job [${who}, job: JOB-1, image: busybox]`,
    `INFO Submitted a job [${who}, name: cancel, image: busybox, job: JOB-2]`,
    `INFO Canceled a job [${who}, job: JOB-2, image: busybox]`,
    lines[7],
    lines[8],
    'INFO Reloaded profiles, resource profiles, overrides and templates [applied: [], pendingRestart: []]',
    'INFO Received a signal; exiting [signal: SIGTERM]',
    'INFO Launcher session ended [reason: closed]',
  ]);
  t.match(
    lines[7],
    /^INFO Could not stop a job \[requester: jane, job: JOB-2, code: invalid-job-state, reason: ".+"\]$/,
  );
  t.match(
    lines[8],
    /^INFO Did not submit a job \[user: jane, requester: jane, name: "evil \\u001b\[2J, user: root(\\n)?", code: invalid-request, reason: ".*image.*"\]$/,
  );
});

t.test('requests of an administrator are logged with their name', async (t) => {
  const { plugin, launcher } = await start(t, cluster, { options: { 'log-level': 'INFO' } });
  const carol = { username: '*', requestUsername: 'carol' };
  const job = { ...sleeper, name: 'kept', host: 'nowhere', user: 'jane' };
  const { jobs } = await launcher.request(2, { ...carol, job });
  const jobId = String((jobs as { id: string }[])[0]?.id);
  plugin.wire.send({ messageType: 6, requestId: 9_000, ...carol, jobId, cancel: false });
  await launcher.request(5, { ...carol, jobId, operation: 4 });
  const who = 'user: jane, requester: carol, as: \\*';
  await plugin.logged(new RegExp(`Submitted a job \\[${who}, name: kept, image: busybox, job: ${jobId}\\]`));
  await plugin.logged(new RegExp(`Reading the output of a job \\[${who}, job: ${jobId}\\]`));
  await plugin.logged(new RegExp(`Canceled a job \\[${who}, job: ${jobId}, image: busybox\\]`));
});

t.test('2,000 refused requests of a user add ten lines, of which the fields are cut', async (t) => {
  const { plugin, launcher } = await start(t, cluster, { options: { 'log-level': 'INFO' } });
  await launcher.submit('jane', { ...sleeper, name: 'kept', host: 'nowhere' });
  await plugin.logged(/Synced/);
  // Lines below WARNING are written a few milliseconds later.
  await plugin.logged(/name: kept/);
  const before = plugin.log();
  const refused = { messageType: 5, username: 'mallory', requestUsername: 'mallory', operation: 3 };
  // Small requests are answered before a large one.
  plugin.wire.send({ ...refused, requestId: 10_000, jobId: 'x'.repeat(1_000_000) });
  await plugin.waitFor(({ requestId }) => requestId === 10_000);
  for (let n = 1; n < 2_000; n++) plugin.wire.send({ ...refused, requestId: 10_000 + n, jobId: `no-${n}` });
  await plugin.waitFor(({ requestId }) => requestId === 11_999);
  const log = plugin.log();
  t.ok(log.startsWith(before), 'the lines of others are there');
  t.match(before, 'Submitted a job [user: jane, requester: jane, name: kept, ');
  const lines = log.slice(before.length).trimEnd().split('\n');
  const refusals = lines.filter((line) => line.includes('requester: mallory'));
  t.equal(refusals.length, 10);
  t.match(
    refusals[0],
    /Could not kill a job \[requester: mallory, job: "x{256}\.\.\. \(1000000 bytes\)", code: job-not-found, /,
  );
});

t.test('at ERROR: what the cluster does not allow, an API server that goes and comes back', async (t) => {
  const other = await startCluster();
  t.teardown(() => other.close());
  const subject = `system:serviceaccount:${other.namespace}:job-launcher`;
  const rule = { subject, namespace: other.namespace, verbs: ['*'] };
  const resources = ['pods', 'pods/log', 'pods/exec', 'pods/attach', 'secrets', 'services', 'serviceaccounts'];
  const rules = [
    { ...rule, groups: ['batch'], resources: ['jobs'] },
    { ...rule, groups: [''], resources },
    { ...rule, namespace: '*', groups: [''], resources: ['nodes'] },
    { ...rule, groups: ['metrics.k8s.io'], resources: ['pods'] },
  ];
  other.access.setRules(rules);
  const { plugin } = await start(t, cluster, { options: { ...optionsFor(other), 'log-level': 'ERROR' } });
  await plugin.logged(/feature: events,/);
  await plugin.logged(/feature: eventList,/);
  await plugin.logged(/ Synced/);
  await other.stopApi();
  await plugin.logged(/ API server unreachable/);
  await other.startApi();
  await plugin.logged(/ again \[/);
  plugin.kill('SIGTERM');
  await plugin.exit;
  const lines = plugin
    .log()
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(line.indexOf('] ') + 2));
  const { host } = new URL(other.url);
  const said = lines.slice(1, -2).map((line) => line.replaceAll(host, 'HOST').replace(/seconds: \d+/, 'seconds: N'));
  t.strictSame(
    // Permissions and jobs are read at the same time.
    [...said.slice(0, 3).sort(), ...said.slice(3)],
    [
      'INFO A permission is missing: events are watched without a list, which replays all of them after an expired watch, and a job that another client deletes in its first second may be Canceled although it ran [feature: eventList, missing: "list events"]',
      'INFO Synced with the cluster [url: https://HOST, namespace: rstudio, kubernetes: v1.36.2]',
      'WARNING A permission is missing: the reasons of Pending jobs are often unknown [feature: events, missing: "watch events"]',
      lines[4]?.replaceAll(host, 'HOST'),
      'INFO API server reachable again [seconds: N]',
    ],
  );
  t.match(
    lines[4],
    /^WARNING API server unreachable; retrying \[since: [^,]*, meanwhile: .*\]; KubernetesError error (unreachable|timeout) \(.*Cannot connect to the Kubernetes API server: https:.*: connect ECONNREFUSED .* \[GET \S+\/(jobs|pods|services|version)\].*\); CAUSED BY: SystemError error ECONNREFUSED /,
  );
});

t.test('OFF says nothing, at the start either', async (t) => {
  const { plugin, launcher } = await start(t, cluster, { options: { 'log-level': 'OFF' } });
  await launcher.submit('jane', { ...sleeper, name: 'silent', host: 'nowhere' });
  plugin.kill('SIGTERM');
  await plugin.exit;
  t.equal(plugin.log() + plugin.stderr(), '');
});

t.test('a certificate that is not trusted: the log names the option and its line', async (t) => {
  const other = await startCluster();
  t.teardown(() => other.close());
  const { plugin } = await start(t, cluster, {
    options: { 'certificate-authority': Buffer.from(other.ca).toString('base64') },
  });
  await plugin.logged(
    / WARNING TLS connection to the API server failed.*, option: "\S+\/launcher\.kubernetes\.conf:\d+: certificate-authority"\]; /,
  );
  t.match(
    readFileSync(plugin.directory.configFile, 'utf8').split('\n')[lineIn(plugin.log()) - 1],
    /^certificate-authority=/,
  );
});

/** The line of the options file that the log names first. */
function lineIn(log: string): number {
  return Number(/launcher\.kubernetes\.conf:(\d+):/.exec(log)?.[1]);
}

t.test('a token file that everybody can read is warned of', async (t) => {
  const path = join(t.testdir({ token: cluster.token }), 'token');
  chmodSync(path, 0o644);
  const { plugin } = await start(t, cluster, { options: { 'auth-token': '', 'auth-token-path': path } });
  await plugin.logged(/ WARNING /);
  t.match(
    plugin.log(),
    `: auth-token-path: every user of this host can read the token in ${path} -> chmod o-r ${path}\n`,
  );
});

t.test('profiles are reloaded, or stay as they were', async (t) => {
  const profiles = 'launcher.kubernetes.profiles.conf';
  const { plugin, launcher } = await start(t, cluster, { files: { [profiles]: '[*]\nmax-cpus=2\n' } });
  const maximum = async (): Promise<unknown> => {
    const { resourceLimits } = await launcher.clusterInfo('jane');
    return (resourceLimits as { type: string; maxValue?: string }[]).find(({ type }) => type === 'cpuCount')?.maxValue;
  };
  const reload = (inheritedSettings = {}) => launcher.request(202, { generation: 1, inheritedSettings });
  t.equal(await maximum(), '2');
  writeFileSync(join(plugin.directory.path, profiles), '[*]\nmax-cpus=3\n');
  t.match(await reload({ jobExpiryHours: 12 }), { errorType: 0, applied: ['job-expiry-hours'] });
  t.equal(await maximum(), '3');
  writeFileSync(join(plugin.directory.path, profiles), '[*]\nmax-cpus=many\n');
  t.match(await reload(), {
    errorType: 2,
    errorMessage: /launcher\.kubernetes\.profiles\.conf:2: max-cpus: "many" must be/,
  });
  t.equal(await maximum(), '3');
  t.match(
    plugin.log(),
    / INFO Reloaded profiles, resource profiles, overrides and templates \[applied: \["job-expiry-hours"\], /,
  );
  t.match(plugin.log(), / ERROR Reload failed; keeping the previous configuration: .*max-cpus/);
  t.match(readFileSync(plugin.directory.logFile, 'utf8'), plugin.log());
});

t.test('a launcher pushes settings: the log goes on elsewhere, and says more', async (t) => {
  const directory = writeConfig({
    configText: `server-user=nobody\napi-url=${cluster.url}\nauth-token=${cluster.token}\ncertificate-authority=${Buffer.from(cluster.ca).toString('base64')}\nheartbeat-interval-seconds=7\n`,
  });
  t.teardown(directory.remove);
  const other = join(directory.path, 'other');
  mkdirSync(other);
  if (process.getuid?.() === 0) chownSync(other, 65534, 65534);
  const args = [`--logging-dir=${directory.path}/log`, `--scratch-path=${directory.path}/s`];
  const { plugin, launcher } = await start(t, cluster, { directory, args });
  const { applied, pendingRestart } = await launcher.request(202, {
    generation: 1,
    inheritedSettings: {
      loggingDir: other,
      enableDebugLogging: true,
      heartbeatIntervalSeconds: 9,
      scratchPath: '/elsewhere',
    },
  });
  t.strictSame([applied, pendingRestart], [['logging-dir', 'enable-debug-logging'], ['scratch-path']]);
  await launcher.clusterInfo('jane');
  plugin.kill('SIGTERM');
  await plugin.exit;
  const lines = (path: string): readonly string[] =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(line.indexOf('] ') + 2));
  t.notOk(lines(directory.logFile).some((line) => / DEBUG |Reloaded/.test(line)));
  const [first, ...rest] = lines(join(other, 'rstudio-kubernetes-launcher.log'));
  t.equal(
    first,
    'INFO Reloaded profiles, resource profiles, overrides and templates [applied: ["logging-dir","enable-debug-logging"], pendingRestart: ["scratch-path"]]',
  );
  t.match(rest.join('\n'), /^DEBUG Received launcher request \[kind: clusterInfo, /m);
});

t.test('logging.conf with logger-type=stderr: no log file, though the launcher passes logging-dir', async (t) => {
  const options = { ...optionsFor(cluster), 'kubernetes-namespace': cluster.namespace, 'server-user': 'nobody' };
  const { plugin } = await start(t, cluster, {
    configText: Object.entries(options)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
    files: { 'logging.conf': '[*]\nlogger-type=stderr\nlog-level=info\n' },
    args: ['--logging-dir=/var/log/elsewhere'],
  });
  await eventually(() => plugin.stderr().includes(' INFO Synced with the cluster '));
  t.equal(plugin.log(), '');
  t.match(plugin.stderr(), / \[rstudio-kubernetes-launcher\] INFO Started \[/);
});

const skip = process.getuid?.() === 0 ? false : 'only root can hide /usr/bin/logger';

t.test('RS_LOGGER_TYPE=syslog pipes lines with their priority to /usr/bin/logger', { skip }, async (t) => {
  const directory = t.testdir({ logger: '' });
  chmodSync(directory, 0o777);
  const file = join(directory, 'lines');
  writeFileSync(join(directory, 'logger'), `#!/bin/sh\necho "$@" >${file}\nexec cat >>${file}\n`);
  chmodSync(join(directory, 'logger'), 0o755);
  const dev =
    'touch /mnt/null /mnt/urandom /mnt/log && mount --bind /dev/null /mnt/null && mount --bind /dev/urandom /mnt/urandom';
  const bind = `mount --bind ${directory}/logger /usr/bin/logger && mount -t tmpfs dev /mnt && ${dev} && mount --rbind /mnt /dev && exec "$0" "$@"`;
  const { plugin } = await start(t, cluster, {
    command: ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', bind, EXECUTABLE],
    env: { RS_LOGGER_TYPE: 'syslog' },
  });
  const lines = (): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  await eventually(() => lines().includes(' INFO Synced with the cluster '));
  t.match(lines(), /^--prio-prefix --tag rstudio-kubernetes-launcher\n/);
  t.match(lines(), /\n<30>\S+ \[rstudio-kubernetes-launcher\] INFO Started \[/);
  t.equal(plugin.log(), '');
  t.equal(plugin.stderr(), '');
});
