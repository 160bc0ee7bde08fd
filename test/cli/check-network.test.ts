/** `check` reports problems between this host and the API server (name, port, proxy, time) with their line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { fakeClock } from '../support/fake-clock.ts';
import { issue } from './certificates.ts';
import { base64, fails, linesOf, listen, NOBODY, run, type Situation } from './harness.ts';

const OPTIONS = { 'api-url': 'https://127.0.0.1:1', 'auth-token': 'a-token' };

/** No deadline passes, unless a test advances the clock: a busy host does not change the result. */
const options = (more: Readonly<Record<string, string>>, clock = fakeClock(Date.now())): Situation => ({
  options: { ...OPTIONS, ...more },
  context: { clock },
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

/** The port of a process that listens and never accepts: when its queue is full, further connections are dropped. */
async function fullQueue(t: Test): Promise<number> {
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
}

t.test('a connection that nobody accepts within 4 s', async (t) => {
  const time = fakeClock(Date.now());
  const clock: typeof time = {
    ...time,
    after: (ms, run) => {
      const cancel = time.after(ms, run);
      if (ms === 4_000) setImmediate(() => time.advance(4_000));
      return cancel;
    },
  };
  await fails(
    t,
    options({ 'api-url': `https://127.0.0.1:${await fullQueue(t)}` }, clock),
    'tcp',
    'failed tcp DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT did not answer within 4 s -> allow the connection in the firewall or security group, or correct the address in api-url',
  );
});

t.test('a TLS handshake that does not finish within 4 s', async (t) => {
  const clock = fakeClock(Date.now());
  const silent = createServer((socket) => socket.once('data', () => clock.advance(4_000)));
  await fails(
    t,
    options({ 'api-url': `https://127.0.0.1:${await listen(t, silent)}` }, clock),
    'tls',
    'failed tls DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT accepts connections, but the TLS handshake did not finish within 4 s -> correct the port in api-url if another service uses it; otherwise look for a proxy or firewall that lets the connection wait',
  );
});

t.test('an API server that does not answer the first call within 5 s', async (t) => {
  const identity = issue();
  const clock = fakeClock(Date.now());
  const port = await listen(
    t,
    createHttpsServer(identity, () => clock.advance(5_000)),
  );
  await fails(
    t,
    options({ 'api-url': `https://127.0.0.1:${port}`, 'certificate-authority': base64(identity.ca) }, clock),
    'version',
    "failed version the API server did not answer GET /version in time -> the API server is overloaded or hangs; run: kubectl get --raw '/readyz?verbose'",
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

const EXPECTS_TLS = 'the port may expect TLS: write https:// in api-url';

t.test('http to a TLS port that closes the connection', async (t) => {
  const clock = fakeClock(Date.now());
  const server = createHttpsServer(issue()).on('tlsClientError', () => clock.advance(5_000));
  const to = options({ 'api-url': `http://127.0.0.1:${await listen(t, server)}` }, clock);
  const [line = ''] = linesOf(await run(t, ['check'], to), 'version');
  t.match(line, /^failed version /);
  t.equal(line.split(' -> ')[1], EXPECTS_TLS);
});

t.test('http to a TLS port of a server in Go, which answers in plain text', async (t) => {
  const server = createServer((socket) => {
    socket.on('data', () => {
      socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n');
    });
  });
  const port = await listen(t, server);
  const [line = ''] = linesOf(await run(t, ['check'], options({ 'api-url': `http://127.0.0.1:${port}` })), 'version');
  t.match(line, /^failed version .*: Client sent an HTTP request to an HTTPS server\. /);
  t.equal(line.split(' -> ')[1], EXPECTS_TLS);
});

t.test('tcp and tls go through https-proxy, and a failure names its line', async (t) => {
  const identity = issue();
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
  const clock = fakeClock(Date.now());
  const silent = createServer((socket) => socket.once('data', () => clock.advance(15_000)));
  const to = options({ 'api-url': `http://127.0.0.1:${await listen(t, silent)}` }, clock);
  const outcome = await run(t, ['check'], { ...to, environment });
  t.match(linesOf(outcome, 'tcp'), [
    /^ok tcp 127\.0\.0\.1:PORT accepts connections/,
    'ok tcp the environment variables HTTPS_PROXY, no_proxy have no effect here; https-proxy and no-proxy are options',
  ]);
  t.notMatch(outcome.out, /hunter2/);
});
