/** Profiles, resource profiles and overrides are taken together or not at all, and so is what a launcher pushes. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { loadOptions, type Options } from '../../../src/config/options/options.ts';
import { createReloadable, type PushedSettings, type RunningSettings } from '../../../src/config/options/reload.ts';
import { readPolicyFiles } from '../../../src/config/profiles/policy-files.ts';
import { ConfigError, describe } from '../../../src/config/text/problem.ts';
import { REACH } from './samples.ts';

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
  if (!loaded.ok) throw new ConfigError('invalid', loaded.problems);
  return loaded.options;
}

t.test('reload: pushed settings', async (t) => {
  t.testdir({});
  const argv = ['--job-expiry-hours=24', '--heartbeat-interval-seconds=5', '--server-user=rs'];
  const options = await optionsOf(t, `${REACH}logging-dir=\nplugin-metrics-interval-seconds=60\n`, argv);
  const applied: RunningSettings[] = [];
  const { reload, settings } = createReloadable({
    options,
    files: readPolicyFiles(options).files,
    apply: (next) => applied.push(next),
    prepare: () => () => {},
  });
  const report = (pushed?: PushedSettings): unknown[] => {
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
  t.equal(settings().enableDebugLogging, false);
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
  const options = await optionsOf(t, REACH);
  const directory = t.testdirName;
  const profiles = `${directory}/launcher.kubernetes.profiles.conf`;
  const resources = `${directory}/launcher.kubernetes.resources.conf`;
  let wrong: ConfigError | undefined;
  let replaced = 0;
  const { reload, files, settings } = createReloadable({
    options,
    files: readPolicyFiles(options).files,
    apply: () => {},
    prepare: () => {
      if (wrong !== undefined) throw wrong;
      return () => {
        replaced++;
      };
    },
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
  t.equal(replaced, 1, 'the files that others parse are replaced with them');
  writeFileSync(profiles, '[*]\n[@group]\n');
  wrong = new ConfigError('invalid', [{ file: '/t/job.tpl', line: 3, option: '', message: 'is wrong' }]);
  t.match(reload(), { errorType: 2, errorMessage: '/t/job.tpl:3: is wrong' });
  t.same([files().profiles.sections.length, replaced], [1, 1]);
  t.equal(settings().jobExpiryHours, 1, 'pushed while a file was broken');
});

t.test('reload: a file that is removed for a moment does not lift its restrictions', async (t) => {
  t.testdir({});
  const directory = t.testdirName;
  const profiles = `${directory}/launcher.kubernetes.profiles.conf`;
  const resources = `${directory}/launcher.kubernetes.resources.conf`;
  writeFileSync(profiles, '[*]\nmax-cpus=1\n');
  writeFileSync(resources, '[small]\ncpus=1\n');
  const options = await optionsOf(t, REACH);
  const first = readPolicyFiles(options).files;
  const { reload, files } = createReloadable({ options, files: first, apply: () => {}, prepare: () => () => {} });
  rmSync(profiles);
  rmSync(resources);
  const said = 'does not exist any more -> write it again: an empty file has no settings';
  t.match(reload(), { errorType: 1, errorMessage: `${profiles}: ${said}; ${resources}: ${said}` });
  t.equal(files(), first);
  writeFileSync(profiles, '');
  writeFileSync(resources, '');
  t.match(reload(), { errorType: 0 });
  t.same([files().profiles.sections.length, files().resourceProfiles.length], [0, 0]);
  rmSync(profiles);
  t.match(reload(), { errorType: 0 }, 'it had no settings');
});
