/**
 * The options file is found where it is looked for, believed if nobody else can write it, and wins over the command
 * line; all that is wrong with either is told at once.
 */
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { parseCommandLine } from '../../../src/config/options/command-line.ts';
import { loadOptions } from '../../../src/config/options/options.ts';
import { describe } from '../../../src/config/text/problem.ts';
import { CONF, environment, load } from './reading.ts';
import { JWT, REACH } from './samples.ts';

// Files that their group may write are refused.
process.umask(0o022);

t.test('all problems of a file at once, with line, option and what was probably meant', async (t) => {
  const { problems } = await load(
    t,
    [
      '\uFEFF# launcher',
      'apiurl=https://x',
      'api-url=https://10.0.0.1:6443\r',
      'fetch-limit=abc # a comment',
      'fetch-limit=3',
      'auth-token',
      '[section]',
      'x = 1',
      'config-file=/x',
      `${Buffer.from(JWT).toString('base64')}=secret`,
    ].join('\n'),
  );
  t.same(problems, [
    `${CONF}:2: apiurl: is not an option of this plugin (did you mean "api-url"?)`,
    `${CONF}:4: fetch-limit: "abc" must be a whole number from 0 to 1000000`,
    `${CONF}:5: fetch-limit: is already set on line 4`,
    `${CONF}:6: must be name=value, a [section], or a comment that begins with # or ;`,
    `${CONF}:7: the options file must not have sections: remove this line`,
    `${CONF}:8: x: is not an option of this plugin`,
    `${CONF}:9: config-file: is allowed on the command line only`,
    `${CONF}:10: is not an option of this plugin`,
    `${CONF}: auth-token: is required with api-url, unless auth-token-path is set`,
  ]);
});

t.test('unknown-options=warn starts with a file of a newer plugin', async (t) => {
  const { options, warnings } = await load(t, `${REACH}unknown-options=warn\nfech-limit=3\nnew-thing=1\n`);
  t.equal(options?.fetchLimit, 500);
  t.same(warnings, [
    `${CONF}:4: fech-limit: is not an option of this plugin (did you mean "fetch-limit"?)`,
    `${CONF}:5: new-thing: is not an option of this plugin`,
  ]);
});

t.test('the file beats the command line, also with an empty value, which is the default', async (t) => {
  const argv = ['--heartbeat-interval-seconds=0', '--job-expiry-hours', '3', '--enable-debug-logging=1'];
  const { options } = await load(t, `${REACH}heartbeat-interval-seconds=7\njob-expiry-hours=\n`, { argv });
  t.equal(options?.heartbeatIntervalSeconds, 7);
  t.equal(options?.jobExpiryHours, 24);
  t.equal(options?.logLevel, 'DEBUG');
  t.ok(options?.writtenInFile.has('job-expiry-hours'));
  t.notOk(options?.writtenInFile.has('enable-debug-logging'));
});

t.test('command line: both forms, prefixes, and what is wrong with it', async (t) => {
  const good = parseCommandLine([
    '--heart=1',
    '--plugin-name',
    'k2',
    '--new-option',
    'x',
    '--newer=secret',
    '-v',
    '--unpriv=1',
  ]);
  t.same(
    [...good.values],
    [
      ['heartbeat-interval-seconds', '1'],
      ['plugin-name', 'k2'],
      ['unprivileged', '1'],
    ],
  );
  t.same(good.problems, []);
  t.same(good.warnings.map(describe), [
    'command line: new-option: is not an option of this plugin and is ignored',
    'command line: newer: is not an option of this plugin and is ignored',
    'command line: v: is not an option of this plugin and is ignored',
  ]);
  const bad = parseCommandLine([
    '--plugin=x',
    'stray',
    '--log-level',
    '--fetch-limit=1',
    '--fetch-limit=2',
    '--auth-token=SECRET',
    '--auth-tok=SECRET',
  ]);
  t.same(bad.problems.map(describe), [
    'command line: plugin: is ambiguous: it matches plugin-metrics-interval-seconds, plugin-name',
    'command line: "stray" is not an option: write --name=value',
    'command line: log-level: needs a value: --log-level=value',
    'command line: fetch-limit: is given twice',
    'command line: auth-token: is allowed in the options file only: every user can read a command line',
    'command line: auth-tok: is ambiguous: it matches auth-token, auth-token-path',
  ]);
});

t.test('where the options file is looked for', async (t) => {
  const root = t.testdir({
    own: { 'launcher.kubernetes.conf': REACH, 'launcher.edge.conf': `${REACH}plugin-name=far\n` },
    xdg2: { rstudio: { 'launcher.kubernetes.conf': REACH } },
    named: { 'my.conf': REACH },
  });
  const loaded = async (env: Record<string, string>, argv: string[] = []): Promise<string[]> => {
    const result = await loadOptions({ ...environment, env, argv });
    if (!result.ok) return result.problems.map((each) => describe(each).replaceAll(root, 'ROOT'));
    const { configFile, profileConfig, scratchPath } = result.options;
    return [configFile, profileConfig, scratchPath].map((each) => each.replaceAll(root, 'ROOT'));
  };
  t.same(await loaded({ RSTUDIO_CONFIG_DIR: `${root}/own/` }), [
    'ROOT/own/launcher.kubernetes.conf',
    'ROOT/own/launcher.kubernetes.profiles.conf',
    '/var/lib/rstudio-launcher/kubernetes',
  ]);
  t.same(await loaded({ XDG_CONFIG_DIRS: `${root}/xdg1:relative::${root}/xdg2` }), [
    'ROOT/xdg2/rstudio/launcher.kubernetes.conf',
    'ROOT/xdg2/rstudio/launcher.kubernetes.profiles.conf',
    '/var/lib/rstudio-launcher/kubernetes',
  ]);
  t.same(
    await loaded({ RSTUDIO_CONFIG_DIR: `${root}/own` }, [`--config-file=${root}/named/my.conf`, '--plugin-name=B']),
    ['ROOT/named/my.conf', 'ROOT/named/launcher.b.profiles.conf', '/var/lib/rstudio-launcher/b'],
  );
  t.same(
    await loaded({ RSTUDIO_CONFIG_DIR: `${root}/own` }, ['--plugin-name=Edge']),
    ['ROOT/own/launcher.edge.conf', 'ROOT/own/launcher.far.profiles.conf', '/var/lib/rstudio-launcher/far'],
    'the name on the command line finds the file, the one in the file then counts',
  );
  t.same(await loaded({ RSTUDIO_CONFIG_DIR: `${root}/none` }), [
    'ROOT/none/launcher.kubernetes.conf: api-url: is required outside a cluster; options files that were tried: ROOT/none/launcher.kubernetes.conf',
  ]);
  t.same(await loaded({}, [`--config-file=${root}/none.conf`]), [
    'ROOT/none.conf: config-file: the file does not exist',
  ]);
  t.same(
    await loaded({ XDG_CONFIG_DIRS: `${root}/a:${root}/xdg2` }, ['--plugin-name=zz']),
    [
      'ROOT/xdg2/rstudio/launcher.zz.conf: api-url: is required outside a cluster; options files that were tried: ROOT/a/rstudio/launcher.zz.conf, ROOT/xdg2/rstudio/launcher.zz.conf',
    ],
    'every path tried',
  );
  t.same(await loaded({ RSTUDIO_CONFIG_DIR: 'own' }), [
    'environment: RSTUDIO_CONFIG_DIR: "own" must be an absolute path',
    'own/launcher.kubernetes.conf: api-url: is required outside a cluster; options files that were tried: own/launcher.kubernetes.conf',
  ]);
});

t.test('who may write the options file', async (t) => {
  const directory = t.testdir({ 'launcher.kubernetes.conf': REACH });
  const file = `${directory}/launcher.kubernetes.conf`;
  const attempt = async (mode: number, owner = environment.uid, group = 0): Promise<string[]> => {
    if (environment.uid === 0) chownSync(file, owner, group);
    chmodSync(file, mode);
    const loaded = await loadOptions({ ...environment, env: { RSTUDIO_CONFIG_DIR: directory } });
    return [...(loaded.ok ? [] : loaded.problems), ...loaded.warnings].map(({ message }) => message);
  };
  const only = 'only root and the server user may be able to change it';
  t.same(await attempt(0o640), []);
  t.same(await attempt(0o644), ['every user of this host can read this file and the token in it']);
  t.same(await attempt(0o602), [`can be changed by every user; ${only}`]);
  if (environment.uid === 0) {
    t.same(await attempt(0o600, 998, 998), []);
    t.same(await attempt(0o660, 0, 998), [], 'the group of the server user');
    t.same(await attempt(0o600, 1234), [`can be changed by its owner, user 1234; ${only}`]);
    t.same(await attempt(0o660, 1234, 5678), [`can be changed by its owner, user 1234 and group 5678; ${only}`]);
  }
  writeFileSync(file, Buffer.from([0x61, 0x3d, 0xff]));
  t.same(await attempt(0o600), ['is not UTF-8']);
  writeFileSync(file, 'a=\0');
  t.same(await attempt(0o600), ['contains a NUL byte']);
  writeFileSync(file, `#${'x'.repeat(1024 * 1024)}`);
  t.same(await attempt(0o600), ['is larger than 1 MiB']);
});
