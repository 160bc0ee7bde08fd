/** `check` reports problems of the options file, the profiles, the CA and the token with their line. */
import { createServer as createHttpServer } from 'node:http';
import t from 'tap';
import { fakeClock } from '../support/fake-clock.ts';
import { fails, linesOf, listen, type Outcome, run, type Situation } from './harness.ts';

const OPTIONS = { 'api-url': 'https://127.0.0.1:1', 'auth-token': 'a-token' };

/** No deadline passes, unless a test advances the clock: a busy host does not change the result. */
const options = (more: Readonly<Record<string, string>>, clock = fakeClock(Date.now())): Situation => ({
  options: { ...OPTIONS, ...more },
  context: { clock },
});

t.test('an options file that does not exist', async (t) => {
  const missing = await run(t, ['check', '--config-file=DIR/launcher.gpu.conf']);
  t.strictSame(missing.lines.slice(0, -1), [
    'failed   options         DIR/launcher.gpu.conf: config-file: the file does not exist -> create this file',
    'skipped  21 steps        skipped because of a failure above: server-user, open-files, directories, hardening, profiles, ca, token, name, tcp, tls, version, clock, access, namespace, permissions, nodes, metrics, constraints, launchers, accounts, root-on-node',
  ]);
  t.match(missing.lines.at(-1), /^1 failed, 21 skipped \(\d+\.\d s\)$/);
  t.equal(missing.code, 1);
});

t.test('an option that is not a number', async (t) => {
  await fails(
    t,
    options({ 'job-expiry-hours': 'soon' }),
    'options',
    'failed options DIR/launcher.kubernetes.conf:4: job-expiry-hours: "soon" must be a number such as 0.5 or 1e-3 from 0 to 87600 -> fix this line; the plugin cannot start until then',
  );
});

t.test('an api-url without a scheme', async (t) => {
  await fails(
    t,
    options({ 'api-url': '127.0.0.1:6443' }),
    'options',
    'failed options DIR/launcher.kubernetes.conf:2: api-url: "127.0.0.1:6443" must be an http or https URL without user info, query and fragment, such as https://10.0.0.1:6443 -> fix this line; the plugin cannot start until then',
  );
});

t.test('an unknown option', async (t) => {
  await fails(
    t,
    options({ 'tolerations-x': '1' }),
    'options',
    'failed options DIR/launcher.kubernetes.conf:4: tolerations-x: is not an option of this plugin -> fix this line; if the file is for a newer first-party plugin, add unknown-options=warn',
  );
});

t.test('a certificate-authority without a certificate', async (t) => {
  await fails(
    t,
    options({ 'certificate-authority': 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t' }),
    'options',
    'failed options DIR/launcher.kubernetes.conf:4: certificate-authority: must be base64 of a PEM certificate, a PEM certificate, or an absolute path to a PEM file: it contains no BEGIN CERTIFICATE -> fix this line; the plugin cannot start until then',
  );
});

t.test('mistakes in profiles do not stop the steps that do not need profiles', async (t) => {
  const outcome = await fails(
    t,
    {
      ...options({
        'api-url': `http://127.0.0.1:${await listen(
          t,
          createHttpServer((_request, response) => response.writeHead(404).end()),
        )}`,
      }),
      files: { 'launcher.kubernetes.profiles.conf': '[*]\ndefault-cpu=2\nmax-cpus=many\n' },
    },
    'profiles',
    'failed profiles DIR/launcher.kubernetes.profiles.conf:2: default-cpu: is not a key of profiles (did you mean "default-cpus"?) -> fix this line; the plugin cannot start until then',
    'failed profiles DIR/launcher.kubernetes.profiles.conf:3: max-cpus: "many" must be a number such as 1.5 from 0 to 1000000 -> fix this line; the plugin cannot start until then',
  );
  t.match(linesOf(outcome, 'tcp'), ['ok tcp 127.0.0.1:PORT accepts connections']);
});

t.test('a group that this host does not have', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\nmax-cpus=2\n\n[@no such group]\nmax-cpus=4\n' };
  const outcome = await run(t, ['check'], { ...options({ 'api-url': 'http://kubernetes.invalid' }), files });
  t.strictSame(linesOf(outcome, 'profiles'), [
    'ok profiles 2 sections in DIR/launcher.kubernetes.profiles.conf',
    'ok profiles DIR/launcher.kubernetes.resources.conf does not exist: there are no resource profiles',
    'warning profiles DIR/launcher.kubernetes.profiles.conf:4: group no such group does not exist on this host -> correct the name of the section, or add the group to this host; the section applies to no user',
  ]);
});

t.test('a profiles file with a misspelled name', async (t) => {
  const files = { 'launcher.kubernetes.profile.conf': '[*]\nmax-cpus=2\n' };
  const outcome = await run(t, ['check'], { ...options({ 'api-url': 'http://kubernetes.invalid' }), files });
  t.equal(
    linesOf(outcome, 'profiles')[0],
    'warning profiles DIR/launcher.kubernetes.profiles.conf does not exist: users are not restricted, although DIR/launcher.kubernetes.profile.conf exists -> mv DIR/launcher.kubernetes.profile.conf DIR/launcher.kubernetes.profiles.conf',
  );
});

t.test('CA and profiles that do not exist', async (t) => {
  const outcome = await fails(
    t,
    options({ 'certificate-authority': 'DIR/ca.crt', 'auth-token-path': 'DIR/token', 'profile-config': 'DIR/none' }),
    'ca',
    'failed ca DIR/launcher.kubernetes.conf:4: certificate-authority: DIR/ca.crt does not exist -> create it, or correct this line; the plugin cannot start until then',
  );
  t.strictSame(linesOf(outcome, 'profiles'), [
    'failed profiles DIR/launcher.kubernetes.conf:6: profile-config: DIR/none does not exist -> create it, or correct this line; the plugin cannot start until then',
  ]);
});

t.test('a token file that does not exist', async (t) => {
  await fails(
    t,
    options({ 'auth-token-path': 'DIR/token' }),
    'token',
    'failed token DIR/launcher.kubernetes.conf:4: auth-token-path: DIR/token does not exist -> create it, or correct this line; the plugin cannot start until then',
  );
});

t.test('a token file that every user of this host can read', async (t) => {
  const files = { token: 'opaque' };
  const outcome = await run(t, ['check'], {
    ...options({ 'api-url': 'https://kubernetes.invalid', 'auth-token-path': 'DIR/token' }),
    files,
  });
  t.strictSame(linesOf(outcome, 'token'), [
    'ok token DIR/token: the token is not a JWT; its account and expiry are unknown',
    'warning token DIR/launcher.kubernetes.conf:4: auth-token-path: every user of this host can read the token in DIR/token -> chmod o-r DIR/token',
  ]);
});

const logOf = (outcome: Outcome): readonly string[] =>
  linesOf(outcome, 'directories')
    .filter((line) => !line.includes('scratch'))
    .map((line) => line.replace(/ \S+ \(uid \d+\) needs /, ' USER needs '));

t.test('log-dir of logging.conf that cannot be written: names its line', async (t) => {
  const situation = options({ 'scratch-path': 'DIR/scratch' });
  const files = { 'logging.conf': '[*]\nlog-level=info\nlog-dir=/dev/null\n' };
  t.strictSame(logOf(await run(t, ['check'], { ...situation, files })), [
    'ok directories log: log-level INFO (DIR/logging.conf:2), log-dir /dev/null (DIR/logging.conf:3)',
    'warning directories DIR/logging.conf:3: log-dir: /dev/null cannot be written (the log goes to stderr): USER needs a directory, but /dev/null is a file -> correct the path, so that it names a directory',
  ]);
});

t.test('RS_LOG_DIR that cannot be written: names the variable', async (t) => {
  const situation = { ...options({ 'scratch-path': 'DIR/scratch' }), environment: { RS_LOG_DIR: '/dev/null' } };
  t.strictSame(logOf(await run(t, ['check'], situation)), [
    'ok directories log: log-dir /dev/null (environment)',
    'warning directories environment: RS_LOG_DIR: /dev/null cannot be written (the log goes to stderr): USER needs a directory, but /dev/null is a file -> correct the path, so that it names a directory',
  ]);
});
