/** No level and no format of the log, and nothing that goes wrong, lets out a token, or what a job is given. */
import t from 'tap';
import { startCluster } from '../cluster/cluster.ts';
import { optionsFor } from '../cluster/config.ts';
import { startPlugin } from '../support/plugin.ts';
import { start } from './launched.ts';

const cluster = await startCluster();
t.teardown(() => cluster.close());
t.jobs = 3;

t.test('no secrets at DEBUG, in either format, whatever goes wrong', async (t) => {
  const secrets = { stdin: 'stdin-secret-4711', environment: 'environment-secret-4712' };
  const token = { good: cluster.token, bad: 'bad.token-secret-4713.x' };
  const said: string[] = [];
  for (const format of ['text', 'json']) {
    const { plugin, launcher } = await start(t, cluster, { options: { 'log-level': 'DEBUG', 'log-format': format } });
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
    options: { ...optionsFor(cluster), 'auth-token': token.bad, 'fetch-limit': '1', 'log-level': 'DEBUG' },
  });
  t.teardown(refused.close);
  await refused.logged(/ DEBUG Watch failed; retrying.*failures: 2/);
  const warnings = refused.log().match(/ (WARNING|ERROR) [^;[]*/g);
  t.strictSame(warnings, [' WARNING API server rejected the token (401)']);
  t.match(refused.log(), / retrying \[.*option: "\S+\/launcher\.kubernetes\.conf:\d+: auth-token"\]; KubernetesError /);
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
  t.match(said[0], / DEBUG Received launcher request \[kind: submit, requestId: 1, bytes: \d+\]\n/);
  t.match(said[0], / DEBUG Sent response \[kind: jobs, requestId: 1, bytes: \d+\]\n/);
  t.match(said[0], / DEBUG Rejected launcher request \[requestId: 3, code: \S+, bytes: \d+\]\n/);
  t.match(said[1], 'harmless-marker-4714');
  for (const line of said[1]?.trimEnd().split('\n') ?? [])
    t.match(JSON.parse(line), { program: 'rstudio-kubernetes-launcher' });
});

t.test('what a webhook quotes of a job goes to its user, and not into the log, whatever its words', async (t) => {
  const other = await startCluster();
  t.teardown(() => other.close());
  const { plugin, launcher } = await start(t, cluster, { options: { ...optionsFor(other), 'log-level': 'DEBUG' } });
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
