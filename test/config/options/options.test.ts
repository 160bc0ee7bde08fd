/** The options of a start: all problems are reported together, the file overrides the command line, others cannot change it. */
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { loadOptions } from '../../../src/config/options/options.ts';
import { describe, type Problem } from '../../../src/config/text/problem.ts';
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
    `${CONF}:7: the options file must not have sections`,
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

t.test('an unknown option may be one of a newer plugin; a misspelled one is not', async (t) => {
  const directory = t.testdir({ 'launcher.kubernetes.conf': `${REACH}fech-limit=3\nnew-thing=1\n` });
  chmodSync(`${directory}/launcher.kubernetes.conf`, 0o600);
  const result = await loadOptions({ ...environment, env: { RSTUDIO_CONFIG_DIR: directory } });
  t.same(!result.ok && result.problems.map(({ option, remedy }) => [option, remedy]), [
    ['fech-limit', undefined],
    ['new-thing', 'fix this line; if the file is for a newer first-party plugin, add unknown-options=warn'],
  ]);
});

t.test('a key of profiles in the options file is named as such', async (t) => {
  const remedy = 'move this line below [*] in the profiles file: it is a key of profiles';
  const text = `${REACH}max-cpus=2\njob-json-overrides="/spec/x":"/etc/x.json"\n`;
  const directory = t.testdir({ 'launcher.kubernetes.conf': text });
  chmodSync(`${directory}/launcher.kubernetes.conf`, 0o600);
  const result = await loadOptions({ ...environment, env: { RSTUDIO_CONFIG_DIR: directory } });
  t.match(!result.ok && result.problems, [
    { line: 3, option: 'max-cpus', message: 'is not an option of this plugin', remedy },
    { line: 4, option: 'job-json-overrides', message: 'is not an option of this plugin', remedy },
  ]);
});

t.test('the file overrides the command line, also with an empty value, which is the default', async (t) => {
  const argv = ['--heartbeat-interval-seconds=0', '--job-expiry-hours', '3', '--enable-debug-logging=1'];
  const { options } = await load(t, `${REACH}heartbeat-interval-seconds=7\njob-expiry-hours=\n`, { argv });
  t.equal(options?.heartbeatIntervalSeconds, 7);
  t.equal(options?.jobExpiryHours, 24);
  t.equal(options?.enableDebugLogging, true);
  t.ok(options?.writtenInFile.has('job-expiry-hours'));
  t.notOk(options?.writtenInFile.has('enable-debug-logging'));
});

t.test('an options file that every user can change is refused', async (t) => {
  const { problems } = await loadWithMode(t, 0o602);
  t.same(problems, [`${CONF}: can be changed by every user of this host`]);
});

t.test('an options file in a directory that every user can change is refused', async (t) => {
  const directory = t.testdir({ open: { 'launcher.kubernetes.conf': REACH } });
  chmodSync(`${directory}/open`, 0o777);
  const loaded = await loadOptions({ ...environment, env: { RSTUDIO_CONFIG_DIR: `${directory}/open` } });
  t.match(loaded, { ok: false, log: undefined });
  t.same(loaded.ok ? [] : loaded.problems.map(({ message, remedy }) => [message, remedy]), [
    [`can be changed by every user of this host through ${directory}/open`, `chmod o-w ${directory}/open`],
  ]);
});

t.test('a token that every user can read is a warning', async (t) => {
  const { warnings } = await loadWithMode(t, 0o644);
  t.same(warnings, [`${CONF}: auth-token: every user of this host can read this file and the token in it`]);
});

const skip = environment.uid === 0 ? false : 'only root can change owners';

t.test('root, the server user and its group may change the options file', { skip }, async (t) => {
  t.same(await loadWithMode(t, 0o600, 998, 998), { problems: [], warnings: [] });
  t.same(await loadWithMode(t, 0o660, 0, 998), { problems: [], warnings: [] });
  t.same(await loadWithMode(t, 0o660, 0, 0), { problems: [], warnings: [] });
});

const OTHERS = [`${CONF}: can be changed by user 1234`, `${CONF}: can be changed by group 5678`];

t.test('other users and groups that can change the options file are warnings', { skip }, async (t) => {
  t.same(await loadWithMode(t, 0o660, 1234, 5678), { problems: [], warnings: OTHERS });
});

t.test('strict-files=1 refuses an options file that other users can change', { skip }, async (t) => {
  const text = `${REACH}strict-files=1\n`;
  t.same(await loadWithMode(t, 0o660, 1234, 5678, text), { problems: OTHERS, warnings: [] });
});

for (const [what, content, message] of [
  ['not UTF-8', Buffer.from([0x61, 0x3d, 0xff]), 'is not UTF-8'],
  ['with a NUL byte', 'a=\0', 'contains a NUL byte'],
  ['larger than 1 MiB', `#${'x'.repeat(1024 * 1024)}`, 'is larger than 1 MiB'],
] as const) {
  t.test(`an options file that is ${what} is refused`, async (t) => {
    const { problems } = await loadWithMode(t, 0o600, environment.uid, 0, content);
    t.same(problems, [`${CONF}: ${message}`]);
  });
}

t.test('user and password of https-proxy only in a file that root alone can read', { skip }, async (t) => {
  const text = `${REACH}https-proxy=http://u:secret@proxy:3128\n`;
  const message = `${CONF}:3: https-proxy: must have no user and password: only an options file that root alone can read may contain them`;
  t.same((await loadWithMode(t, 0o640, 0, 0, text)).problems, [message]);
  t.same((await loadWithMode(t, 0o600, 998, 0, text)).problems, [message]);
  t.same((await loadWithMode(t, 0o600, 0, 0, text)).problems, []);
  t.same((await loadWithMode(t, 0o600, 0, 0, text.replace('secret', '50%25off'))).problems, []);
  const { problems } = await load(t, REACH, { argv: ['--https-proxy=http://u:secret@proxy:3128'] });
  t.same(problems, [message.replace(`${CONF}:3`, 'command line')]);
});

t.test('no-proxy hosts are reached without https-proxy', async (t) => {
  const proxyFor = async (host: string, exceptions: string): Promise<string | undefined> => {
    const text = `api-url=https://${host}:6443\nauth-token=x\nhttps-proxy=http://p:1\nno-proxy=${exceptions}\n`;
    return (await load(t, text)).options?.httpsProxy;
  };
  t.equal(await proxyFor('k.example.org', 'other.org,10.0.0.0/8'), 'http://p:1/');
  t.equal(await proxyFor('k.example.org', '.example.org'), undefined);
  t.equal(await proxyFor('k.example.org', 'EXAMPLE.ORG'), undefined);
  t.equal(await proxyFor('myexample.org', 'example.org'), 'http://p:1/');
  t.equal(await proxyFor('10.1.2.3', '10.0.0.0/8'), undefined);
  t.equal(await proxyFor('11.1.2.3', '10.0.0.0/8'), 'http://p:1/');
  t.equal(await proxyFor('[fd00::5]', 'fd00::/16'), undefined);
  t.equal(await proxyFor('[fe00::5]', 'fd00::/16'), 'http://p:1/');
  t.equal(await proxyFor('[fd00::5]', 'FD00:0::5'), undefined, 'another form of the same address');
  t.equal(await proxyFor('[fd00::6]', '[fd00::5]'), 'http://p:1/');
  t.equal(await proxyFor('10.1.2.3', '10.1.2.3'), undefined);
  t.equal(await proxyFor('10.1.2.3', '10.1.2.4'), 'http://p:1/');
  t.equal(await proxyFor('anything', '*'), undefined);
});

t.test('the second line of a wrapped token is not shown', async (t) => {
  for (const line of ['SECRETSECRET=', 'SecretSecret-more==', 'SECRETSECRET = a']) {
    const { problems: found } = await load(t, `api-url=https://k:6443\nauth-token=SECRET\n${line}\n`);
    t.strictSame(found, ['DIR/launcher.kubernetes.conf:3: is not an option of this plugin'], line);
  }
  const { problems: found } = await load(t, 'api-url=https://k:6443\nauth-token=x\nquite-unlike=1\n');
  t.strictSame(found, ['DIR/launcher.kubernetes.conf:3: quite-unlike: is not an option of this plugin']);
});

/** Problems and warnings of an options file with this mode and owner. */
async function loadWithMode(
  test: Test,
  mode: number,
  uid = environment.uid,
  gid = 0,
  text: string | Buffer = REACH,
): Promise<{ problems: string[]; warnings: string[] }> {
  const directory = test.testdir({});
  const file = `${directory}/launcher.kubernetes.conf`;
  writeFileSync(file, text);
  if (environment.uid === 0) chownSync(file, uid, gid);
  chmodSync(file, mode);
  const loaded = await loadOptions({ ...environment, env: { RSTUDIO_CONFIG_DIR: directory } });
  const shown = (found: Problem): string => describe(found).replaceAll(directory, 'DIR');
  return { problems: loaded.ok ? [] : loaded.problems.map(shown), warnings: loaded.warnings.map(shown) };
}
