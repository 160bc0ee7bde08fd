/** Each configuration file is looked up by itself, in the documented directories; errors list every path that was tried. */
import t, { type Test } from 'tap';
import { loadOptions } from '../../../src/config/options/options.ts';
import { describe } from '../../../src/config/text/problem.ts';
import { environment } from './reading.ts';
import { REACH } from './samples.ts';

/** Options file, profiles file and scratch path, or what is wrong, with ROOT for the test's directory. */
async function found(test: Test, env: Record<string, string>, argv: string[] = []): Promise<string[]> {
  const root = test.testdirName;
  const absolute = Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value.replaceAll('ROOT', root)]),
  );
  const result = await loadOptions({
    ...environment,
    env: absolute,
    argv: argv.map((each) => each.replaceAll('ROOT', root)),
  });
  if (!result.ok) return result.problems.map((each) => describe(each).replaceAll(root, 'ROOT'));
  const { configFile, profileConfig, resourceProfileConfig } = result.options;
  return [configFile, profileConfig, resourceProfileConfig].map((each) => each.replaceAll(root, 'ROOT'));
}

const scratchOf = async (test: Test, argv: string[]): Promise<string | undefined> => {
  const env = { RSTUDIO_CONFIG_DIR: `${test.testdirName}/own` };
  const result = await loadOptions({ ...environment, env, argv });
  return result.ok ? result.options.scratchPath : undefined;
};

t.test('RSTUDIO_CONFIG_DIR alone is searched', async (t) => {
  t.testdir({ own: { 'launcher.kubernetes.conf': REACH } });
  t.same(await found(t, { RSTUDIO_CONFIG_DIR: 'ROOT/own/', XDG_CONFIG_DIRS: 'ROOT/own' }), [
    'ROOT/own/launcher.kubernetes.conf',
    'ROOT/own/launcher.kubernetes.profiles.conf',
    'ROOT/own/launcher.kubernetes.resources.conf',
  ]);
});

t.test('each file comes from the first directory of XDG_CONFIG_DIRS that has it', async (t) => {
  t.testdir({
    dynamic: { rstudio: {} },
    session: { rstudio: { 'launcher.kubernetes.resources.conf': '' } },
    secret: { rstudio: { 'launcher.kubernetes.conf': REACH } },
    config: { rstudio: { 'launcher.kubernetes.conf': REACH, 'launcher.kubernetes.profiles.conf': '' } },
  });
  t.same(
    await found(t, {
      XDG_CONFIG_DIRS: 'ROOT/dynamic:relative::ROOT/session:ROOT/none:ROOT/secret/:ROOT/config',
    }),
    [
      'ROOT/secret/rstudio/launcher.kubernetes.conf',
      'ROOT/config/rstudio/launcher.kubernetes.profiles.conf',
      'ROOT/session/rstudio/launcher.kubernetes.resources.conf',
    ],
  );
});

t.test('a file in none of the directories is expected in /etc/rstudio', async (t) => {
  t.testdir({ a: { rstudio: { 'launcher.edge.conf': REACH } } });
  t.same(await found(t, { XDG_CONFIG_DIRS: 'ROOT/a' }, ['--plugin-name=edge']), [
    'ROOT/a/rstudio/launcher.edge.conf',
    '/etc/rstudio/launcher.edge.profiles.conf',
    '/etc/rstudio/launcher.edge.resources.conf',
  ]);
});

t.test('--config-file names the options file, and the others are beside it', async (t) => {
  t.testdir({ named: { 'my.conf': REACH }, own: { 'launcher.b.profiles.conf': '' } });
  t.same(await found(t, { RSTUDIO_CONFIG_DIR: 'ROOT/own' }, ['--config-file=ROOT/named/my.conf', '--plugin-name=B']), [
    'ROOT/named/my.conf',
    'ROOT/named/launcher.b.profiles.conf',
    'ROOT/named/launcher.b.resources.conf',
  ]);
});

t.test('the name on the command line finds the options file, the name in it finds the others', async (t) => {
  t.testdir({ own: { 'launcher.edge.conf': `${REACH}plugin-name=far\n` } });
  t.same(await found(t, { RSTUDIO_CONFIG_DIR: 'ROOT/own' }, ['--plugin-name=Edge']), [
    'ROOT/own/launcher.edge.conf',
    'ROOT/own/launcher.far.profiles.conf',
    'ROOT/own/launcher.far.resources.conf',
  ]);
});

t.test('the scratch path has the name as it is written', async (t) => {
  t.testdir({ own: { 'launcher.kubernetes.conf': REACH } });
  t.equal(await scratchOf(t, ['--plugin-name=Kubernetes']), '/var/lib/rstudio-launcher/Kubernetes');
  t.equal(await scratchOf(t, ['--plugin-name=']), '/var/lib/rstudio-launcher/kubernetes');
});

t.test('without an options file the error lists every path', async (t) => {
  t.testdir({});
  t.same(await found(t, { RSTUDIO_CONFIG_DIR: 'ROOT/none' }), [
    'ROOT/none/launcher.kubernetes.conf: api-url: is required outside a cluster; options files that were tried: ROOT/none/launcher.kubernetes.conf',
  ]);
  t.same(await found(t, { XDG_CONFIG_DIRS: 'ROOT/a:ROOT/b' }, ['--plugin-name=zz']), [
    '/etc/rstudio/launcher.zz.conf: api-url: is required outside a cluster; options files that were tried: ROOT/a/rstudio/launcher.zz.conf, ROOT/b/rstudio/launcher.zz.conf, /etc/rstudio/launcher.zz.conf',
  ]);
});

t.test('an options file that --config-file names must exist', async (t) => {
  t.testdir({});
  t.same(await found(t, {}, ['--config-file=ROOT/none.conf']), [
    'ROOT/none.conf: config-file: the file does not exist',
  ]);
});

t.test('RSTUDIO_CONFIG_DIR must be an absolute path', async (t) => {
  t.testdir({});
  t.same(await found(t, { RSTUDIO_CONFIG_DIR: 'own' }), [
    'environment: RSTUDIO_CONFIG_DIR: "own" must be an absolute path',
    'own/launcher.kubernetes.conf: api-url: is required outside a cluster; options files that were tried: own/launcher.kubernetes.conf',
  ]);
});
