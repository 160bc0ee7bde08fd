import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { readClusterAccess } from '../../src/config/cluster-access.ts';
import { OPTION_NAMES } from '../../src/config/option-table.ts';
import { loadOptions, type Options } from '../../src/config/options.ts';
import { readPolicyFiles } from '../../src/config/policy-files.ts';
import { ConfigError, describe } from '../../src/config/problem.ts';
import { parseProfiles } from '../../src/config/profiles.ts';
import { referenceMarkdown } from '../../src/config/reference.ts';
import { createReloadable, type InheritedSettings, type RunningSettings } from '../../src/config/reload.ts';
import { missingGroups, userProfile } from '../../src/config/user-profile.ts';
import { JobError } from '../../src/jobs/contract.ts';
import { createPolicy } from '../../src/jobs/user-policy.ts';
import { type SystemUser, UserLookupError, type Users } from '../../src/system/users.ts';
import { EMPTY_REQUEST } from '../support/job-request.ts';
import { CA, JWT } from './samples.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/config', import.meta.url));

/** The options of a start with this file, which is put into the directory of the test. */
async function optionsOf(test: Test, conf: string, argv: readonly string[] = []): Promise<Options> {
  const directory = test.testdirName;
  writeFileSync(`${directory}/launcher.kubernetes.conf`, conf, { mode: 0o600 });
  const loaded = await loadOptions({
    argv,
    env: { RSTUDIO_CONFIG_DIR: directory },
    uid: process.getuid?.() ?? -1,
    cpus: 2,
    findUser: async () => undefined,
  });
  if (!loaded.ok) throw new ConfigError('wrong', loaded.problems);
  return loaded.options;
}

const CONF = `api-url=https://10.0.0.1:6443\nauth-token=${JWT}\n`;

/** Name services that know these users and groups; `undefined` users cannot be looked up. */
function nameServices(users: Record<string, SystemUser | undefined>, groups: Record<string, number>): Users {
  return {
    user: async (name) => {
      if (Object.hasOwn(users, name) && users[name] === undefined) throw new UserLookupError('the directory is down');
      return users[name];
    },
    group: async (name) => {
      if (groups[name] === -1) throw new UserLookupError('the directory is down');
      return groups[name];
    },
  };
}

t.test('a configuration with every documented option starts as it is', async (t) => {
  const directory = t.testdir();
  cpSync(`${FIXTURES}/complete.conf`, `${directory}/launcher.kubernetes.conf`);
  chmodSync(`${directory}/launcher.kubernetes.conf`, 0o600);
  const loaded = await loadOptions({
    argv: [
      '--plugin-name=Kubernetes',
      '--server-user=rstudio-server',
      '--enable-debug-logging=0',
      '--scratch-path=/var/lib/rstudio-launcher/Kubernetes',
      '--heartbeat-interval-seconds=5',
      '--job-expiry-hours=24.000000',
      '--logging-dir=/var/log/rstudio/launcher',
      '--max-message-size=5242880',
      '--launcher-config-file=/etc/rstudio/launcher.conf',
    ],
    env: { RSTUDIO_CONFIG_DIR: directory },
    uid: process.getuid?.() ?? -1,
    cpus: 2,
    findUser: async () => undefined,
  });
  t.match(loaded, { ok: true, warnings: [] });
  t.match(loaded.ok && loaded.options, {
    pluginName: 'kubernetes',
    apiUrl: 'https://192.168.99.100:8443',
    authToken: JWT,
  });
});

t.test('the sample of an options file holds every option that a file can hold', async (t) => {
  const written = readFileSync(`${FIXTURES}/complete.conf`, 'utf8').matchAll(/^([a-z-]+)=/gm);
  // What the launcher passes, and what cannot stand beside another.
  const elsewhere = ['config-file', 'launcher-config-file', 'plugin-name', 'rsandbox-path', 'unprivileged'];
  t.strictSame([...[...written].map(([, name]) => name), ...elsewhere].sort(), [...OPTION_NAMES].sort());
});

t.test('what of the way to the cluster stands in files', async (t) => {
  const directory = t.testdir({ 'ca.pem': `some text\n${CA}`, namespace: 'team\n', 'bad.pem': 'x', Bad: 'Bad Name' });
  const base = {
    certificateAuthority: undefined,
    certificateAuthorityPath: undefined,
    kubernetesNamespace: 'rstudio',
    namespacePath: undefined,
    origins: new Map([['certificate-authority', { file: '/etc/l.conf', line: 4 }]] as const),
  };
  t.same(readClusterAccess({ ...base, certificateAuthority: CA }), { namespace: 'rstudio', certificateAuthority: CA });
  t.same(
    readClusterAccess({
      ...base,
      certificateAuthorityPath: `${directory}/ca.pem`,
      namespacePath: `${directory}/namespace`,
    }),
    { namespace: 'team', certificateAuthority: CA },
  );
  t.throws(() => readClusterAccess({ ...base, certificateAuthorityPath: `${directory}/none` }), {
    code: 'unreadable',
    message: `/etc/l.conf:4: certificate-authority: ${directory}/none does not exist`,
  });
  t.throws(() => readClusterAccess({ ...base, certificateAuthorityPath: `${directory}/bad.pem` }), { code: 'wrong' });
  t.throws(() => readClusterAccess({ ...base, namespacePath: `${directory}/Bad` }), {
    code: 'wrong',
    message: `${directory}/Bad: kubernetes-namespace: must be a DNS label (lower-case letters, digits and -, at most 63 characters)`,
  });
});

t.test('policy files: missing ones, all problems at once, override files', async (t) => {
  t.testdir({});
  const options = await optionsOf(t, CONF);
  const directory = t.testdirName;
  const profiles = `${directory}/launcher.kubernetes.profiles.conf`;
  const resources = `${directory}/launcher.kubernetes.resources.conf`;
  const failure = (given = options): { code: string; problems: string[] } => {
    try {
      readPolicyFiles(given);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return { code: error.code, problems: error.problems.map((each) => describe(each).replaceAll(directory, 'DIR')) };
    }
    return { code: 'none', problems: [] };
  };
  t.same(readPolicyFiles(options), {
    files: { profiles: { file: profiles, sections: [] }, resourceProfiles: [] },
    warnings: [],
  });
  t.same(
    failure(await optionsOf(t, `${CONF}profile-config=/nonexistent/p\nresource-profile-config=/nonexistent/r\n`)),
    {
      code: 'unreadable',
      problems: [
        'DIR/launcher.kubernetes.conf:3: profile-config: /nonexistent/p does not exist',
        'DIR/launcher.kubernetes.conf:4: resource-profile-config: /nonexistent/r does not exist',
      ],
    },
  );
  writeFileSync(profiles, '[*]\nmax-cpus=x\n');
  writeFileSync(resources, '[a]\ncpus=x\n');
  t.same(failure(), {
    code: 'wrong',
    problems: [
      'DIR/launcher.kubernetes.profiles.conf:2: max-cpus: "x" must be a number such as 1.5 from 0 to 1000000',
      'DIR/launcher.kubernetes.resources.conf:2: cpus: "x" must be a number such as 1.5 from 0 to 1000000',
    ],
  });
  writeFileSync(resources, '[small]\ncpus=1\n');
  writeFileSync(
    profiles,
    `[*]\nresource-profiles=small,smal,custom\njob-json-overrides="/spec/x":"${directory}/o.json"\n[u]\njob-json-overrides="/spec/y":"${directory}/none.json"\n`,
  );
  writeFileSync(`${directory}/o.json`, '{\n  "SECRET": x }');
  t.same(failure(), {
    code: 'unreadable',
    problems: [
      'DIR/o.json:2: column 13: a value was expected',
      'DIR/launcher.kubernetes.profiles.conf:5: job-json-overrides: DIR/none.json does not exist',
    ],
  });
  writeFileSync(`${directory}/o.json`, '{}');
  writeFileSync(`${directory}/none.json`, '{}');
  t.same(readPolicyFiles(options).warnings.map(describe), [
    `${profiles}:2: resource-profiles: "smal" is not a resource profile`,
  ]);
});

t.test('the profile of a user: names as given and as the directory writes them, groups by number', async (t) => {
  const { profiles } = parseProfiles(
    'F',
    '[*]\nmax-cpus=1\n[@staff]\nmax-cpus=2\n[@gone]\nmax-cpus=9\n[CORP\\jane]\nmax-mem-mb=5\n',
  );
  const jane: SystemUser = { name: 'CORP\\jane', uid: 1, gid: 1, groups: new Set([1, 50]) };
  const services = nameServices({ jane, bob: undefined }, { staff: 50 });
  const of = async (name: string): Promise<unknown> => {
    const { profile, user } = await userProfile(profiles, services, name);
    return [profile.maxCpus.value, profile.maxMemMb.value, user?.uid];
  };
  t.same(await of('jane'), [2, 5, 1]);
  t.same(await of('nobody'), [1, 0, undefined], 'an unknown user has no groups');
  t.same(await of('*'), [1, 0, undefined]);
  await t.rejects(of('bob'), {
    name: 'UserLookupError',
    message: 'cannot determine the groups of bob: the directory is down',
  });
  const down = nameServices({ jane }, { staff: -1 });
  await t.rejects(userProfile(profiles, down, 'jane'), {
    message: 'cannot determine the groups of jane: the directory is down',
  });
  t.same((await missingGroups(profiles, services)).map(describe), ['F:5: this host has no group gone']);
  t.same((await missingGroups(profiles, down)).map(describe), [
    'F:3: cannot look up group staff: the directory is down',
    'F:5: this host has no group gone',
  ]);

  const plain = parseProfiles('F', '[*]\nmax-cpus=1\n[bob]\nmax-cpus=3\n').profiles;
  t.equal(
    (await userProfile(plain, services, 'bob')).profile.maxCpus.value,
    3,
    'without groups in the file, names decide',
  );
  const own = parseProfiles('F', '[*]\nrun-as=own\n').profiles;
  t.equal((await userProfile(own, services, 'jane')).user?.uid, 1);
  await t.rejects(userProfile(own, services, 'bob'), {
    message: 'cannot determine the user id of bob: the directory is down',
  });
  const never: Users = {
    user: async () => t.fail('was asked') as never,
    group: async () => t.fail('was asked') as never,
  };
  t.equal((await userProfile(parseProfiles('F', '[*]\nmax-cpus=1').profiles, never, 'x')).profile.maxCpus.value, 1);
});

t.test('the policy in force: what is not the fault of users is Error 0', async (t) => {
  const directory = t.testdir({ 'o.json': '[1]' });
  const { profiles } = parseProfiles(
    'F',
    `[*]\ndefault-container-image=r:4\njob-json-overrides="/spec/template/spec/hostAliases":"${directory}/o.json"\n[@g]\nmax-cpus=1\n`,
  );
  const policy = createPolicy({
    files: () => ({ profiles, resourceProfiles: [] }),
    users: nameServices({ bob: undefined }, {}),
    ownAccount: () => undefined,
    serviceAccounts: async () => ['a'],
  });
  const request = (user: string) => ({ ...EMPTY_REQUEST, name: '', user, command: 'true' });
  t.match(await policy.resolve(request('jane'), 'jane'), { image: 'r:4', overrides: [{ value: [1] }] });
  t.match(await policy.clusterInfo('*'), { defaultImage: 'r:4' });
  const failed = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof JobError ? [error.code, error.message] : error),
    );
  t.same(await failed(policy.resolve(request('bob'), 'bob')), [
    'unknown',
    'cannot determine the groups of bob: the directory is down',
  ]);
  t.same(await failed(policy.clusterInfo('bob')), [
    'unknown',
    'cannot determine the groups of bob: the directory is down',
  ]);
  writeFileSync(`${directory}/o.json`, '[');
  t.same(await failed(policy.resolve(request('jane'), 'jane')), [
    'unknown',
    `${directory}/o.json:1: column 2: a value was expected`,
  ]);
  rmSync(`${directory}/o.json`);
  t.same(await failed(policy.resolve(request('jane'), 'jane')), [
    'unknown',
    `F:3: job-json-overrides: ${directory}/o.json does not exist`,
  ]);
});

t.test('reload: pushed settings', async (t) => {
  t.testdir({});
  const argv = ['--job-expiry-hours=24', '--heartbeat-interval-seconds=5', '--server-user=rs'];
  const options = await optionsOf(t, `${CONF}logging-dir=\nplugin-metrics-interval-seconds=60\n`, argv);
  const applied: RunningSettings[] = [];
  const { reload, settings } = createReloadable({
    options,
    files: readPolicyFiles(options).files,
    apply: (next) => applied.push(next),
  });
  const report = (pushed?: InheritedSettings): unknown[] => {
    const { errorType, errorMessage, applied: changed, pendingRestart } = reload(pushed);
    return [errorType, errorMessage, changed, pendingRestart];
  };
  t.same(report(), [0, '', [], []]);
  t.same(report({ jobExpiryHours: 24, serverUser: 'rs' }), [0, '', [], []], 'nothing new');
  t.same(
    report({ jobExpiryHours: 0.5, enableDebugLogging: true, loggingDir: '/elsewhere' }),
    [0, '', ['job-expiry-hours', 'enable-debug-logging'], []],
    'what the file holds, even empty, stays',
  );
  t.match(settings(), {
    jobExpiryHours: 0.5,
    enableDebugLogging: true,
    logLevel: 'DEBUG',
    loggingDir: '/var/log/rstudio/launcher',
  });
  t.equal(applied.length, 1);
  t.same(report(), [0, '', [], []], 'what was pushed last is kept');
  t.equal(settings().jobExpiryHours, 0.5);
  t.same(
    report({ serverUser: 'other', heartbeatIntervalSeconds: 9, scratchPath: '/s', pluginMetricsIntervalSeconds: 1 }),
    [0, '', [], ['server-user', 'scratch-path', 'heartbeat-interval-seconds']],
  );
  t.same(
    report({ serverUser: 'rs' }),
    [0, '', [], ['scratch-path', 'heartbeat-interval-seconds']],
    'compared with the start',
  );
  t.same(report({ enableDebugLogging: false }), [
    0,
    '',
    ['enable-debug-logging'],
    ['scratch-path', 'heartbeat-interval-seconds'],
  ]);
  t.equal(settings().logLevel, 'WARNING');
  t.same(report({ jobExpiryHours: -1, enableDebugLogging: true, heartbeatIntervalSeconds: -5 }), [
    2,
    'job-expiry-hours: "-1" must be a number such as 0.5 or 1e-3 from 0 to 87600; heartbeat-interval-seconds: "-5" must be a whole number from 0 to 2147483',
    [],
    [],
  ]);
  t.match(settings(), { jobExpiryHours: 0.5, enableDebugLogging: false });
  t.same(report(), [0, '', [], ['scratch-path', 'heartbeat-interval-seconds']], 'a refused push is forgotten');
});

t.test('reload: files are swapped together, or the old ones stay', async (t) => {
  t.testdir({});
  const options = await optionsOf(t, CONF);
  const directory = t.testdirName;
  const profiles = `${directory}/launcher.kubernetes.profiles.conf`;
  const resources = `${directory}/launcher.kubernetes.resources.conf`;
  const { reload, files, settings } = createReloadable({
    options,
    files: readPolicyFiles(options).files,
    apply: () => {},
  });
  const first = files();
  writeFileSync(profiles, '[*]\ndefault-nvidia-gpus=1\n');
  writeFileSync(resources, '[broken]\ncpus=x\n');
  t.match(reload({ jobExpiryHours: 1 }), {
    errorType: 2,
    errorMessage: `${resources}:2: cpus: "x" must be a number such as 1.5 from 0 to 1000000`,
    applied: [],
    pendingRestart: [],
  });
  t.equal(files(), first);
  t.equal(settings().jobExpiryHours, 24);
  rmSync(resources);
  mkdirSync(resources);
  t.match(reload(), { errorType: 2, errorMessage: `${resources}: is not a regular file` });
  rmSync(resources, { recursive: true });
  writeFileSync(profiles, `[*]\njob-json-overrides="/a":"${directory}/none"\n`);
  t.match(reload(), {
    errorType: 1,
    errorMessage: `${profiles}:2: job-json-overrides: ${directory}/none does not exist`,
  });
  t.equal(files(), first);
  writeFileSync(profiles, '[*]\ndefault-nvidia-gpus=1\n');
  const done = reload();
  t.match(done, { errorType: 0, applied: ['job-expiry-hours'] });
  t.match(done.warnings.map(describe), [/default-nvidia-gpus: 1 has no effect/]);
  t.equal(files().profiles.sections.length, 1);
  t.equal(settings().jobExpiryHours, 1, 'pushed while a file was broken');
});

t.test('the reference names everything', async (t) => {
  const text = referenceMarkdown();
  const lines = text.split('\n');
  t.ok(
    lines.includes(
      '| `fetch-limit` | 500 | a whole number from 0 to 1000000 | Most objects to ask for in one list call; 0 means no limit. | documented |',
    ),
  );
  const originOf = (name: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`| \`${name}\``))
      ?.split(' | ')
      .at(-1)
      ?.replace(' |', '');
  t.strictSame(
    ['log-level', 'logging-dir', 'auth-token-path', 'resource-profile-config', 'kill-method', 'tolerations'].map(
      originOf,
    ),
    ['SDK', 'SDK, newer', 'newer', 'newer, name ours', 'ours', 'ours'],
  );
  t.ok(
    lines.includes(
      "| `run-as` | any | one of any, own | own: user, group and supplemental groups of the container are the user's own on this host. | ours |",
    ),
  );
  t.ok(
    lines.includes(
      '| `mem-mb` | a number such as 1.5 from 0 to 1000000000000 | Limit of memory in MB (10^6 bytes). | newer |',
    ),
  );
});
