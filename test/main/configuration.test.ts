/** What administrators wrote has its effect: whole conversations, seen by launchers and in the Job that the cluster received. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { optionsFor } from '../cluster/config.ts';
import { openCluster } from '../integration/cluster.ts';
import { createLauncher, type Launcher, LauncherError } from '../support/launcher.ts';
import { type PluginProcess, startPlugin, writeConfig } from '../support/plugin.ts';

const cluster = await openCluster();
t.teardown(() => cluster.close());
t.jobs = 3;

const ALIASES = '[{"ip":"10.0.0.1","hostnames":["nas.example"]}]';

/** A directory that the server user reads, too. */
function directoryFor(test: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'configuration-'));
  test.teardown(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  return directory;
}

const profilesText = (overrides: string): string => `[*]
default-container-image=${cluster.image}
image-pull-policy=IfNotPresent
default-cpus=0.5
max-cpus=2
max-mem-mb=1024
allow-unknown-images=0
placement-constraints=region:us,region:eu
job-labels=owner={user}
job-json-overrides="/spec/template/spec/hostAliases":"${overrides}/aliases"
host-paths=/data

[root]
max-cpus=3

[@root]
max-mem-mb=2048
`;

interface Started {
  readonly plugin: PluginProcess;
  readonly launcher: Launcher;
  /** Its profiles file, and the file of the overrides in it. */
  readonly profiles: string;
  readonly aliases: string;
}

/** A plugin with all of these files; it has answered Bootstrap. */
async function start(test: Test): Promise<Started> {
  const overrides = directoryFor(test);
  const aliases = join(overrides, 'aliases');
  writeFileSync(aliases, ALIASES);
  const plugin = await startPlugin({
    options: { ...optionsFor({ ...cluster, token: cluster.pluginToken }), 'kubernetes-namespace': cluster.namespace },
    files: {
      'launcher.kubernetes.profiles.conf': profilesText(overrides),
      'launcher.kubernetes.resources.conf': '[small]\ncpus=1\nmem-mb=256\n',
    },
  });
  test.teardown(() => plugin.close());
  const launcher = createLauncher(plugin.wire);
  await launcher.bootstrap();
  return { plugin, launcher, aliases, profiles: join(plugin.directory.path, 'launcher.kubernetes.profiles.conf') };
}

/** Submits a job; gives its first status, or the message of the refusal. */
function said({ launcher }: Started, job: Record<string, unknown>, user = 'policy-user'): Promise<unknown> {
  return launcher.submit(user, { name: 'asked', command: 'true', ...job }).then(
    ({ status }) => status,
    (error: unknown) => (error instanceof LauncherError ? error.message : error),
  );
}

const asks = (type: string, value: string): Record<string, unknown> => ({ resourceLimits: [{ type, value }] });

const unchanged = await start(t);

t.test('a job gets the defaults of its profile, and its overrides', async (t) => {
  const { id } = await unchanged.launcher.submit('policy-user', {
    name: 'defaults',
    command: 'true',
    placementConstraints: [{ name: 'region', value: 'us' }],
  });
  const { body } = await cluster.namespaced('GET', 'batch/v1', `jobs/${id}`);
  t.match(body, {
    metadata: { labels: { owner: 'policy-user' } },
    spec: {
      template: {
        spec: {
          hostAliases: [{ ip: '10.0.0.1', hostnames: ['nas.example'] }],
          nodeSelector: { region: 'us' },
          containers: [
            {
              image: cluster.image,
              imagePullPolicy: 'IfNotPresent',
              resources: { limits: { cpu: '500m', memory: '1024M' } },
            },
          ],
        },
      },
    },
  });
});

t.test('what a profile does not allow is refused with its file and line', async (t) => {
  const { profiles } = unchanged;
  t.match(
    await said(unchanged, asks('cpuCount', '2.5')),
    `Error 2: cpuCount 2.5 is above the maximum of 2 (max-cpus, ${profiles}:5).`,
  );
  t.match(
    await said(unchanged, { container: { image: 'evil' } }),
    `Error 2: Image evil is not one of ${cluster.image}`,
  );
  t.match(
    await said(unchanged, { mounts: [{ mountPath: '/m', type: 'host', source: { path: '/etc' } }] }),
    `Error 2: The host mount at /m: host path "/etc" is not allowed (host-paths, ${profiles}:11).`,
  );
  t.match(await said(unchanged, { resourceProfile: 'large' }), 'Error 2: There is no resource profile large.');
});

t.test('sections for a user and for their group allow more', async (t) => {
  t.equal(await said(unchanged, asks('cpuCount', '2.5'), 'root'), 'Pending', 'a section for the user');
  t.equal(await said(unchanged, asks('memory', '2048'), 'root'), 'Pending', 'a section for their group');
});

t.test('cluster info shows what the profile allows', async (t) => {
  t.match(await unchanged.launcher.clusterInfo('policy-user'), {
    allowUnknownImages: false,
    images: [cluster.image],
    resourceProfiles: [{ name: 'small' }],
    placementConstraints: [
      { name: 'region', value: 'us' },
      { name: 'region', value: 'eu' },
    ],
  });
});

t.test('a file of overrides with an error refuses submits until it is fixed', async (t) => {
  const started = await start(t);
  writeFileSync(started.aliases, '[');
  t.match(await said(started, {}), `Error 0: ${started.aliases}:1: column 2: expected a value`);
  writeFileSync(started.aliases, '[]');
  t.equal(await said(started, {}), 'Pending', 'a fixed file counts from the next submit on');
});

t.test('a reload with an error in the profiles keeps the previous ones and names the line', async (t) => {
  const started = await start(t);
  writeFileSync(started.profiles, '[*]\nmax-cpus=lots\n');
  t.match(await started.launcher.request(202, { generation: 7 }), {
    messageType: 202,
    errorType: 2,
    errorMessage: `${started.profiles}:2: max-cpus: "lots" must be a number such as 1.5 from 0 to 1000000`,
    applied: [],
    pendingRestart: [],
    generation: 7,
  });
  t.match(await said(started, asks('cpuCount', '2.5')), 'Error 2: cpuCount 2.5 is above the maximum of 2');
});

t.test('a reload that the launcher asks for applies changed profiles and inherited settings', async (t) => {
  const started = await start(t);
  const changed = readFileSync(started.profiles, 'utf8').replace('max-cpus=2', 'max-cpus=4');
  writeFileSync(started.profiles, changed);
  const answer = await started.launcher.request(202, {
    generation: 8,
    inheritedSettings: { jobExpiryHours: 2, serverUser: 'x' },
  });
  t.match(answer, { errorType: 0, errorMessage: '', applied: ['job-expiry-hours'], generation: 8 });
  t.equal(await said(started, asks('cpuCount', '2.5')), 'Pending');
});

t.test('SIGHUP reloads changed profiles', async (t) => {
  const started = await start(t);
  const changed = readFileSync(started.profiles, 'utf8').replace('max-cpus=2', 'max-cpus=1');
  writeFileSync(started.profiles, changed);
  started.plugin.kill('SIGHUP');
  await started.plugin.logged(/Reloaded/);
  t.match(await said(started, asks('cpuCount', '2')), 'Error 2: cpuCount 2 is above the maximum of 1');
});

/** A plugin with another value for each option and key than the default. */
async function startWithAll(
  test: Test,
): Promise<Pick<Started, 'plugin' | 'launcher'> & { readonly overrides: string }> {
  const overrides = directoryFor(test);
  const directory = writeConfig({
    options: {
      'api-url': `${cluster.url}/`,
      'certificate-authority': `${overrides}/ca.pem`,
      'auth-token-path': `${overrides}/token`,
      'kubernetes-namespace': cluster.namespace,
      'fetch-limit': '7',
      'watch-timeout-seconds': '77',
      'thread-pool-size': '3',
      'job-expiry-hours': '0.5',
      'service-type': 'ClusterIP',
      'share-process-namespace': 'off',
      'profile-config': `${overrides}/all.conf`,
      'resource-profile-config': `${overrides}/resources.conf`,
    },
  });
  writeFileSync(join(overrides, 'ca.pem'), cluster.ca);
  writeFileSync(join(overrides, 'token'), `${cluster.pluginToken}\n`, { mode: 0o644 });
  writeFileSync(
    join(overrides, 'resources.conf'),
    '[big]\ncpus=1.5\ncpus-request=0.25\nmem-mb=300\nmem-mb-request=100\nnvidia-gpus=1\namd-gpus=2\nplacement-constraints=disk:ssd\n',
  );
  writeFileSync(
    join(overrides, 'all.conf'),
    `[*]
default-container-image=registry/r:4
max-nvidia-gpus=1
max-amd-gpus=2
image-pull-policy=Always
image-pull-secrets=reg1,reg2
service-account=jobs
automount-service-account-token=0
tolerations=gpu=yes:NoSchedule
node-selector=pool=batch
run-as-non-root=1
drop-capabilities=NET_RAW
pod-security=restricted
active-deadline-seconds=90
job-labels=owner={user},size={resource-profile}
job-annotations=note={name} of {group}
run-as=own
`,
  );
  const plugin = await startPlugin({ directory });
  test.teardown(() => plugin.close());
  const launcher = createLauncher(plugin.wire);
  await launcher.bootstrap();
  return { plugin, launcher, overrides };
}

const all = await startWithAll(t);

/** Debian and Red Hat call it differently. */
const GROUP = execFileSync('id', ['-gn', 'nobody'], { encoding: 'utf8' }).trim();

t.test('options and keys of many kinds together have their effect on what the cluster receives', async (t) => {
  const { id } = await all.launcher.submit('nobody', {
    name: 'all of it',
    group: GROUP,
    command: 'true',
    resourceProfile: 'big',
    exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }],
  });
  const { body } = await cluster.namespaced('GET', 'batch/v1', `jobs/${id}`);
  const marks = { labels: { owner: 'nobody', size: 'big' }, annotations: { note: `all of it of ${GROUP}` } };
  t.match(body, {
    metadata: marks,
    spec: {
      ttlSecondsAfterFinished: 5400,
      template: {
        metadata: marks,
        spec: {
          activeDeadlineSeconds: 90,
          automountServiceAccountToken: false,
          imagePullSecrets: [{ name: 'reg1' }, { name: 'reg2' }],
          nodeSelector: { disk: 'ssd', pool: 'batch' },
          securityContext: { runAsUser: 65534, runAsGroup: 65534, supplementalGroups: [65534] },
          serviceAccountName: 'jobs',
          tolerations: [{ key: 'gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' }],
          containers: [
            {
              image: 'registry/r:4',
              imagePullPolicy: 'Always',
              resources: {
                limits: { cpu: '1500m', memory: '300M', 'nvidia.com/gpu': '1', 'amd.com/gpu': '2' },
                requests: { cpu: '250m', memory: '100M' },
              },
              securityContext: {
                allowPrivilegeEscalation: false,
                runAsNonRoot: true,
                seccompProfile: { type: 'RuntimeDefault' },
                capabilities: { drop: ['NET_RAW', 'ALL'] },
              },
            },
          ],
        },
      },
    },
  });
  t.notMatch(body, { spec: { template: { spec: { shareProcessNamespace: true } } } });
  const service = await cluster.namespaced('GET', '', `services/${id}`);
  t.match(service.body, { metadata: marks, spec: { type: 'ClusterIP', ports: [{ port: 8787 }] } });
});

t.test("a job cannot use the plugin's own service account, also after the token changed", async (t) => {
  const { launcher, overrides } = await startWithAll(t);
  const named = (account: string): Promise<unknown> =>
    launcher
      .submit('nobody', { name: 'x', command: 'true', config: [{ name: 'serviceAccountName', value: account }] })
      .then(
        ({ status }) => status,
        (error: Error) => error.message,
      );
  const own = (account: string): string =>
    `Error 2: serviceAccountName ${account} is the plugin's own and cannot be used by jobs.`;
  t.equal(await named('job-launcher'), own('job-launcher'));
  if (cluster.simulated !== undefined) {
    const token = cluster.simulated.accounts.issue(cluster.namespace, 'second');
    writeFileSync(join(overrides, 'token'), token);
    t.equal(await named('second'), own('second'), 'the account of the token that the file holds now');
  }
});

t.test('options for requests and threads have their effect', async (t) => {
  const asked = cluster.simulated?.journal.requests.map(({ path }) => path);
  t.ok(asked?.some((path) => /\/jobs\?.*limit=7(&|$)/.test(path)) ?? true, 'fetch-limit');
  t.ok(
    asked?.some((path) => /\/jobs\?.*watch=true.*timeoutSeconds=77(&|$)/.test(path)) ?? true,
    'watch-timeout-seconds',
  );
  const threads = readdirSync(`/proc/${all.plugin.pid}/task`)
    .map((thread) => readFileSync(`/proc/${all.plugin.pid}/task/${thread}/comm`, 'utf8'))
    .filter((name) => name.startsWith('libuv-worker'));
  t.equal(threads.length, 3);
});

t.test('a wrong profiles file stops the start; all problems are named', async (t) => {
  const plugin = await startPlugin({
    options: { ...optionsFor({ ...cluster, token: cluster.pluginToken }), 'kubernetes-namespace': cluster.namespace },
    files: {
      'launcher.kubernetes.profiles.conf': '[*]\nmax-cpu=1\nmax-mem-mb=x\n',
      'launcher.kubernetes.resources.conf': '[a]\ncpus=x\n',
    },
  });
  t.teardown(() => plugin.close());
  const path = (name: string): string => join(plugin.directory.path, name);
  t.same(await plugin.exit, { code: 1, signal: null });
  for (const line of [
    `${path('launcher.kubernetes.profiles.conf')}:2: max-cpu: is not a key of profiles (did you mean "max-cpus"?)`,
    `${path('launcher.kubernetes.profiles.conf')}:3: max-mem-mb: "x" must be a number such as 1.5 from 0 to 1000000000000`,
    `${path('launcher.kubernetes.resources.conf')}:2: cpus: "x" must be a number such as 1.5 from 0 to 1000000`,
  ]) {
    t.match(plugin.stderr(), line);
  }
});
