/** `check` reports problems between this host and the API server (files, name, port, time) with their line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { type Clock, systemClock } from '../../src/system/clock.ts';
import { issue } from './certificates.ts';
import { base64, fails, linesOf, listen, NOBODY, run, type Situation } from './harness.ts';

/** Timers run eight times as fast; the date does not. */
const hurried: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * 8,
  after: (ms, run) => systemClock.after(ms / 8, run),
};

const OPTIONS = { 'api-url': 'https://127.0.0.1:1', 'auth-token': 'a-token' };

const options = (more: Readonly<Record<string, string>>): Situation => ({ options: { ...OPTIONS, ...more } });

t.test('an options file that does not exist', async (t) => {
  const missing = await run(t, ['check', '--config-file=DIR/launcher.gpu.conf']);
  t.strictSame(missing.lines.slice(0, -1), [
    'failed   options         DIR/launcher.gpu.conf: config-file: the file does not exist -> create this file',
    'skipped  21 steps        skipped because of a failure above: server-user, open-files, directories, hardening, profiles, ca, token, name, tcp, tls, version, clock, access, namespace, permissions, nodes, metrics, constraints, launchers, accounts, root-on-node',
  ]);
  t.match(missing.lines.at(-1), /^1 failed, 21 skipped \(\d+\.\d s\)$/);
  t.equal(missing.code, 1);
});

t.test('--json has each skipped step', async (t) => {
  const json = JSON.parse((await run(t, ['check', '--config-file=DIR/launcher.gpu.conf', '--json'])).out);
  t.equal(json.results.length, 22, 'each step');
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

t.test('a host name that does not resolve', async (t) => {
  const outcome = await fails(
    t,
    options({ 'api-url': `https://${NOBODY}:6443` }),
    'name',
    `failed name DIR/launcher.kubernetes.conf:2: api-url: ${NOBODY} does not resolve on this host -> correct api-url, or add the name to DNS or /etc/hosts; verify with: getent hosts ${NOBODY}`,
  );
  t.match(linesOf(outcome, '12 steps')[0], /^skipped 12 steps skipped because of a failure above: tcp, tls, version, /);
});

t.test('a port without a listener', async (t) => {
  const server = createServer();
  const port = await listen(t, server);
  server.close();
  await once(server, 'close');
  await fails(
    t,
    options({ 'api-url': `https://127.0.0.1:${port}` }),
    'tcp',
    'failed tcp DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT refuses connections -> start the API server, or correct the port in api-url (often 6443 or 443)',
  );
});

t.test('timeouts of TCP, TLS and the first call', async (t) => {
  /** A process that listens and never accepts: when its queue is full, further connections are dropped. */
  const full = async (t: Test): Promise<number> => {
    const code = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
      require('node:fs').writeSync(1, String(this.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
    t.teardown(() => child.kill('SIGKILL'));
    const port = Number(String(await once(child.stdout, 'data')));
    for (let i = 0; i < 8; i++) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      t.teardown(() => socket.destroy());
    }
    return port;
  };
  const identity = await issue();
  const hangs = createHttpsServer(identity, () => {});
  const [dropped, silent, slow] = await Promise.all([full(t), listen(t, createServer()), listen(t, hangs)]);
  const at = (port: number): Situation => ({
    ...options({ 'api-url': `https://127.0.0.1:${port}`, 'certificate-authority': base64(identity.ca) }),
    context: { clock: hurried },
  });
  await Promise.all([
    fails(
      t,
      at(dropped),
      'tcp',
      'failed tcp DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT did not answer within 4 s -> allow the connection in the firewall or security group, or correct the address in api-url',
    ),
    fails(
      t,
      at(silent),
      'tls',
      'failed tls DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT accepts connections, but the TLS handshake did not finish within 4 s -> correct the port in api-url if another service uses it; otherwise a proxy or firewall holds the connection',
    ),
    fails(
      t,
      at(slow),
      'version',
      "failed version the API server did not answer GET /version in time -> the API server is overloaded or hangs; run: kubectl get --raw '/readyz?verbose'",
    ),
  ]);
});

t.test('all steps end within 15 s', async (t) => {
  const identity = await issue();
  // As every answer takes 3 s of the hurried clock, access reviews take more than is left.
  const slow = createHttpsServer({ cert: identity.cert, key: identity.key }, (request, response) => {
    setTimeout(() => {
      response.setHeader('Content-Type', 'application/json');
      const review = { kind: 'SelfSubjectAccessReview', status: { allowed: true } };
      response.end(
        JSON.stringify(request.url === '/version' ? { major: '1', minor: '36', gitVersion: 'v1.36.2' } : review),
      );
    }, 400);
  });
  const port = await listen(t, slow);
  const outcome = await run(t, ['check'], {
    ...options({ 'api-url': `https://127.0.0.1:${port}`, 'certificate-authority': base64(identity.ca) }),
    context: { clock: hurried },
  });
  t.strictSame(linesOf(outcome, 'version'), ['ok version Kubernetes v1.36.2']);
  t.strictSame(linesOf(outcome, 'access'), [
    'failed access the limit of 15 s for all steps is exceeded -> see the slow step above',
  ]);
  t.match(outcome.out, /^skipped {2}\d steps {9}the limit of 15 s for all steps is exceeded: .*nodes, metrics/m);
  const seconds = Number(/\((\d+\.\d) s\)$/.exec(outcome.lines.at(-1) ?? '')?.[1]);
  t.ok(seconds >= 15 && seconds < 16.5, `${seconds} s of the hurried clock`);
});

t.test('a terminal gets colors and folded lines', async (t) => {
  const { out, lines } = await run(t, ['check'], {
    ...options({ 'log-level': '9' }),
    terminal: { columns: 60, color: true },
  });
  t.strictSame(lines.slice(0, 5), [
    '\u001b[31mfailed   \u001b[0moptions         DIR/',
    '                         launcher.kubernetes.conf:4:',
    '                         log-level: "9" must be one of OFF,',
    '                         ERROR, WARNING, INFO, DEBUG, or 0',
    '                         to 4 -> fix this line; the plugin',
  ]);
  t.match(
    out,
    '\u001b[90mskipped  \u001b[0m21 steps        skipped because of a failure above:\n                         server-user, open-files,\n',
  );
});

t.test('a port without TLS', async (t) => {
  const port = await listen(t, createHttpServer());
  await fails(
    t,
    options({ 'api-url': `https://127.0.0.1:${port}` }),
    'tls',
    'failed tls DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER) -> correct the port or the scheme of api-url: this is not the TLS port of an API server',
  );
});

t.test('http to a TLS port', async (t) => {
  const identity = await issue();
  const silent = createHttpsServer(identity);
  // The response of Go's server.
  const verbose = createServer((socket) => {
    socket.on('data', () => {
      socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n');
    });
  });
  for (const [server, said] of [
    [silent, /^failed version /],
    [verbose, /^failed version .*: Client sent an HTTP request to an HTTPS server\. /],
  ] as const) {
    const port = await listen(t, server);
    const [line = ''] = linesOf(await run(t, ['check'], options({ 'api-url': `http://127.0.0.1:${port}` })), 'version');
    t.match(line, said);
    t.equal(line.split(' -> ')[1], 'the port may expect TLS: write https:// in api-url');
  }
});

t.test('tcp and tls go through https-proxy, and a failure names its line', async (t) => {
  const identity = await issue();
  const port = await listen(
    t,
    createHttpsServer(identity, (_request, response) => response.writeHead(401).end()),
  );
  const targets: string[] = [];
  const tunnels = createHttpServer().on('connect', ({ url = '' }, socket) => {
    targets.push(url);
    const onward = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    socket.pipe(onward).pipe(socket);
    for (const end of [socket, onward]) end.on('error', () => end.destroy());
  });
  const refusing = createHttpServer().on('connect', (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
  const [proxy, closed] = await Promise.all([listen(t, tunnels), listen(t, refusing)]);
  const through = (at: number): Situation =>
    options({
      // This host cannot resolve the name; the proxy can.
      'api-url': 'https://kubernetes.invalid:6443',
      'certificate-authority': base64(identity.ca),
      'https-proxy': `http://127.0.0.1:${at}`,
    });
  const found = await run(t, ['check', '--config-file=DIR/launcher.kubernetes.conf'], through(proxy));
  const lines = found.lines.map((line) => line.replace(/ +/g, ' ').replaceAll(String(proxy), 'PROXY'));
  t.match(
    lines.find((line) => line.startsWith('ok name')),
    'ok name the proxy 127.0.0.1:PROXY (https-proxy) resolves kubernetes.invalid',
  );
  t.match(
    lines.find((line) => line.startsWith('ok tcp')),
    'ok tcp kubernetes.invalid:PORT accepts connections through the proxy 127.0.0.1:PROXY (https-proxy)',
  );
  t.match(
    lines.find((line) => line.startsWith('failed tls')),
    /the certificate is not for kubernetes\.invalid, but for /,
  );
  t.same([...new Set(targets)], ['kubernetes.invalid:6443']);
  await fails(
    t,
    through(closed),
    'tcp',
    `failed tcp DIR/launcher.kubernetes.conf:5: https-proxy: proxy 127.0.0.1:${closed} answered CONNECT kubernetes.invalid:PORT with 403 Forbidden -> correct https-proxy, let the proxy allow CONNECT to kubernetes.invalid:PORT, or add the host to no-proxy`,
  );
});

t.test('proxy variables of the environment are named, because they have no effect', async (t) => {
  const environment = { HTTPS_PROXY: 'http://user:hunter2@proxy.example:3128', no_proxy: 'a' };
  const port = await listen(t, createServer());
  const outcome = await run(t, ['check'], { ...options({ 'api-url': `http://127.0.0.1:${port}` }), environment });
  t.match(linesOf(outcome, 'tcp'), [
    /^ok tcp 127\.0\.0\.1:PORT accepts connections/,
    'ok tcp the environment variables HTTPS_PROXY, no_proxy have no effect here; https-proxy and no-proxy are options',
  ]);
  t.notMatch(outcome.out, /hunter2/);
});
