import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startCluster } from '../cluster/cluster.ts';
import { createLauncher } from '../support/launcher.ts';
import { type PluginStart, startPlugin, writeConfig } from '../support/plugin.ts';

const cluster = await startCluster();
t.teardown(() => cluster.close());
t.jobs = 3;

async function start(t: Test, { options, ...more }: PluginStart = {}) {
  const plugin = await startPlugin({
    ...more,
    options: {
      'api-url': cluster.url,
      'auth-token': cluster.token,
      'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
      'kubernetes-namespace': cluster.namespace,
      ...options,
    },
  });
  t.teardown(plugin.close);
  const launcher = createLauncher(plugin.wire);
  const until = (user: string, id: string, state: string): Promise<void> =>
    new Promise((resolve, reject) => {
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
  await launcher.bootstrap();
  return { plugin, launcher, until };
}

const sleeper = { container: { image: 'busybox' }, exe: '/bin/sh', args: ['-c', 'while :; do sleep 0.1; done'] };

t.test('at ERROR: what an administrator must know, and a line for all that is done to jobs', async (t) => {
  const { plugin, launcher, until } = await start(t, { options: { 'log-level': 'ERROR' } });
  const ids: string[] = [];
  for (const operation of ['stop', 'kill', 'cancel'] as const) {
    const { id } = await launcher.submit('jane', {
      ...sleeper,
      name: operation,
      host: operation === 'cancel' ? 'nowhere' : '',
    });
    ids.push(id);
    if (operation !== 'cancel') await until('jane', id, 'Running');
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
  const synced = `INFO Synced: the jobs of the cluster are known [url: ${cluster.url}, namespace: ${cluster.namespace}, kubernetes: v1.36.2]`;
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
    'INFO Reloaded profiles, resource profiles and overrides [applied: [], pendingRestart: []]',
    'INFO Ends because of a signal [signal: SIGTERM]',
    'INFO The conversation with the launcher has ended [reason: closed]',
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
  const { plugin } = await start(t, {
    options: {
      'api-url': other.url,
      'auth-token': other.token,
      'certificate-authority': Buffer.from(other.ca).toString('base64'),
      'log-level': 'ERROR',
    },
  });
  await plugin.logged(/ A permission is missing/);
  await plugin.logged(/ Synced/);
  await other.stopApi();
  await plugin.logged(/ No contact/);
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
    // Whether the rights or the jobs are known first is chance.
    [...said.slice(0, 2).sort(), ...said.slice(2)],
    [
      'INFO Synced: the jobs of the cluster are known [url: https://HOST, namespace: rstudio, kubernetes: v1.36.2]',
      'WARNING A permission is missing: why jobs are pending is often not known [feature: events, missing: "list events, watch events"]',
      lines[3]?.replaceAll(host, 'HOST'),
      'INFO Contact with the API server again [seconds: N]',
    ],
  );
  t.match(
    lines[3],
    /^WARNING No contact with the API server; trying again; KubernetesError error unreachable \(The Kubernetes API server cannot be reached: https:.*: connect ECONNREFUSED .* \[GET \S+\/(jobs|pods|services)\]\); CAUSED BY: SystemError error ECONNREFUSED /,
  );
});

t.test('OFF says nothing, at the start either', async (t) => {
  const { plugin, launcher } = await start(t, { options: { 'log-level': 'OFF' } });
  await launcher.submit('jane', { ...sleeper, name: 'silent', host: 'nowhere' });
  await plugin.close();
  t.equal(plugin.log() + plugin.stderr(), '');
});

t.test('no secrets at DEBUG, in either format, whatever goes wrong', async (t) => {
  const secrets = { stdin: 'stdin-secret-4711', environment: 'environment-secret-4712' };
  const token = { good: cluster.token, bad: 'bad.token-secret-4713.x' };
  const said: string[] = [];
  for (const format of ['text', 'json']) {
    const { plugin, launcher } = await start(t, { options: { 'log-level': 'DEBUG', 'log-format': format } });
    const job = {
      name: 'harmless-marker-4714',
      container: { image: 'busybox' },
      stdin: secrets.stdin,
      environment: [{ name: 'PASSWORD', value: secrets.environment }],
    };
    await launcher.submit('jane', { ...job, command: 'cat >/dev/null' });
    await t.rejects(launcher.submit('jane', { ...job, container: { image: '' }, command: 'true' }));
    await t.rejects(launcher.submit('jane', { ...job, args: 'true', command: 'true' }));
    await t.rejects(
      launcher.submit('jane', { ...job, resourceLimits: [{ type: 'cpuCount', value: 'x' }], command: 'true' }),
    );
    plugin.sendBytes(Buffer.from('\0\0\0\x0a{"stdin-se'));
    await plugin.exit;
    said.push(plugin.log() + plugin.stderr());
  }
  const refused = await startPlugin({
    options: {
      'api-url': cluster.url,
      'auth-token': token.bad,
      'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
      'fetch-limit': '1',
      'log-level': 'DEBUG',
    },
  });
  t.teardown(refused.close);
  await refused.logged(/ DEBUG Kubernetes does not tell its changes.*failures: 2/);
  const warnings = refused.log().match(/ (WARNING|ERROR) [^;[]*/g);
  t.strictSame(warnings, [
    ' WARNING The API server refuses the token (401): rstudio-kubernetes-launcher check tells more',
  ]);
  t.match(
    refused.log(),
    / trying again \[option: "\S+\/launcher\.kubernetes\.conf:\d+: auth-token"\]; KubernetesError /,
  );
  said.push(refused.log());
  const everything = said.join('\n');
  for (const secret of [secrets.stdin, 'stdin-se', secrets.environment, ...Object.values(token)]) {
    for (const form of [
      secret,
      Buffer.from(secret)
        .toString('base64')
        .replace(/.{0,3}=*$/, ''),
    ]) {
      t.notOk(everything.includes(form), form);
    }
  }
  t.match(said[0], 'harmless-marker-4714');
  t.match(said[0], / DEBUG Asked by the launcher \[kind: submit, requestId: 1, bytes: \d+\]\n/);
  t.match(said[0], / DEBUG Told the launcher \[kind: jobs, requestId: 1, bytes: \d+\]\n/);
  t.match(said[0], / DEBUG Asked by the launcher what is refused \[requestId: 3, code: \S+, bytes: \d+\]\n/);
  t.match(said[1], 'harmless-marker-4714');
  for (const line of said[1]?.trimEnd().split('\n') ?? [])
    t.match(JSON.parse(line), { program: 'rstudio-kubernetes-launcher' });
});

t.test('a certificate that is not trusted: the log names the option and its line', async (t) => {
  const other = await startCluster();
  t.teardown(() => other.close());
  const { plugin } = await start(t, { options: { 'certificate-authority': Buffer.from(other.ca).toString('base64') } });
  await plugin.logged(
    / WARNING The certificate .* \[option: "\S+\/launcher\.kubernetes\.conf:\d+: certificate-authority"\]; /,
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

t.test('what a webhook quotes of a job goes to its user, and not into the log, whatever its words', async (t) => {
  const other = await startCluster();
  t.teardown(() => other.close());
  const { plugin, launcher } = await start(t, {
    options: {
      'api-url': other.url,
      'auth-token': other.token,
      'certificate-authority': Buffer.from(other.ca).toString('base64'),
      'log-level': 'DEBUG',
    },
  });
  const job = {
    name: 'quoted',
    container: { image: 'busybox' },
    exe: '/bin/sh',
    args: ['-c', 'login --password=hidden-4715'],
    environment: [
      { name: 'PASSWORD', value: 'p&ss"w\\rd\n-4716' },
      { name: 'PIN', value: 'k-17' },
      { name: 'DEBUG', value: 'true' },
      { name: 'PORT', value: '8787' },
    ],
    config: [{ name: 'other', value: 'config-4717' }],
  };
  const said: (readonly [words: string, logged: string])[] = [
    [
      'PASSWORD is p&ss"w\\rd\n-4716, PIN is k-17, DEBUG is true, PORT is 8787, others are 417',
      'PASSWORD is ***, PIN is ***, DEBUG is true, PORT is ***, others are 417',
    ],
    ['no: {"env":"{\\"value\\":\\"p\\u0026ss\\\\\\"w\\\\\\\\rd\\\\n-4716\\"}"}', 'no: {"env":"{"value":"***"}"}'],
    ['variable 0 is "p&ss\\"w\\\\rd...", argument 3 "...d=hidden-4715"', 'variable 0 is "***...", argument 3 "...***"'],
    ['config-4717, and image busybox is not for jane', '***, and image busybox is not for jane'],
  ];
  for (const [words] of said) {
    const allow = other.denyNew('jobs', words);
    const told = await launcher.submit('jane', job).catch((error: Error) => error.message);
    t.equal(String(told).replace(/^.* is forbidden: /, ''), words);
    allow();
  }
  plugin.kill('SIGTERM');
  await plugin.exit;
  t.strictSame(
    [...plugin.log().matchAll(/ Did not submit a job .* reason: (".*")\]$/gm)].map(([, reason = '']) =>
      String(JSON.parse(reason)).replace(/^.* is forbidden: /, ''),
    ),
    said.map(([, logged]) => logged),
  );
});

t.test('a token file that everybody can read is warned of', async (t) => {
  const path = join(t.testdir({ token: cluster.token }), 'token');
  chmodSync(path, 0o644);
  const { plugin } = await start(t, { options: { 'auth-token': '', 'auth-token-path': path } });
  await plugin.logged(/ WARNING /);
  t.match(
    plugin.log(),
    `: auth-token-path: everybody on this host can read the token in ${path} -> chmod o-r ${path}\n`,
  );
});

t.test('profiles are reloaded, or stay as they were', async (t) => {
  const profiles = 'launcher.kubernetes.profiles.conf';
  const { plugin, launcher } = await start(t, { files: { [profiles]: '[*]\nmax-cpus=2\n' } });
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
  t.match(plugin.log(), / INFO Reloaded profiles, resource profiles and overrides \[applied: \["job-expiry-hours"\], /);
  t.match(plugin.log(), / ERROR Nothing was reloaded, what was in force stays so: .*max-cpus/);
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
  const { plugin, launcher } = await start(t, { directory, args });
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
    'INFO Reloaded profiles, resource profiles and overrides [applied: ["logging-dir","enable-debug-logging"], pendingRestart: ["scratch-path"]]',
  );
  t.match(rest.join('\n'), /^DEBUG Asked by the launcher \[kind: clusterInfo, /m);
});
