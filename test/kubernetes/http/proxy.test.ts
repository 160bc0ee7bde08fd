/** Connections through an HTTP proxy (CONNECT), with TLS to the API server end to end. */
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { JOBS, PODS } from '../../../src/kubernetes/contract.ts';
import { createIdentity } from '../../cluster/authority.ts';
import { apiServer, clientOf, failure, JOB, type Step } from '../server.ts';
import { frame, SUCCESS } from '../streams/channels.ts';
import { line, listOf, pod, project } from '../watch/watching.ts';

const serve: Step = ({ answer }) => answer(200, JOB);

interface Proxy {
  readonly host: string;
  /** `CONNECT` requests as they arrived. */
  readonly requests: IncomingMessage[];
  /** Bytes from the clients. */
  readonly bytes: () => string;
  /** Forwards nothing more of the connections that exist, without closing them. */
  readonly freeze: () => void;
}

/** A proxy; `refuse`: the status line instead of a connection; '': no answer. */
async function proxyServer(t: Test, refuse?: string): Promise<Proxy> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const chunks: Buffer[] = [];
  const server = createServer();
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    requests.push(request);
    sockets.add(client);
    client.on('error', () => {});
    if (refuse !== undefined) {
      if (refuse !== '') client.end(`HTTP/1.1 ${refuse}\r\n\r\n`);
      return;
    }
    const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(request.url ?? '') ?? [];
    const upstream = connect({ host, port: Number(port) }, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.on('data', (chunk: Buffer) => chunks.push(chunk));
      client.pipe(upstream).pipe(client);
    });
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const freeze = (): void => {
    for (const socket of sockets) socket.unpipe().pause();
  };
  return { host: `127.0.0.1:${port}`, requests, bytes: () => Buffer.concat(chunks).toString('latin1'), freeze };
}

t.test('requests go through the proxy, which sees only TLS', async (t) => {
  const identity = createIdentity(['127.0.0.1']);
  const server = await apiServer(t, serve, { identity });
  const proxy = await proxyServer(t);
  const client = clientOf(t, server.url, { proxy: `http://${proxy.host}`, tls: { ca: identity.ca, verify: true } });
  t.strictSame((await client.get(JOBS, 'job-1')).object, JOB);
  t.strictSame(
    proxy.requests.map(({ method, url, headers }) => [method, url, headers.host, headers['proxy-authorization']]),
    [['CONNECT', `127.0.0.1:${server.port}`, `127.0.0.1:${server.port}`, undefined]],
  );
  t.notMatch(proxy.bytes(), /token-1|job-1/);
});

t.test('the certificate of an https proxy is checked for its own name, not for that of the API server', async (t) => {
  const names: string[] = [];
  const identity = createIdentity(['localhost']);
  const proxy = createTlsServer({
    cert: identity.cert,
    key: identity.key,
    SNICallback: (name, done) => {
      names.push(name);
      done(null);
    },
  });
  await new Promise<void>((resolve) => proxy.listen(0, 'localhost', resolve));
  t.teardown(() => proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const client = clientOf(t, 'https://k8s.example', { proxy: `https://localhost:${port}`, requestTimeoutMs: 500 });
  const error = await failure(client.get(JOBS, 'job-1'));
  // The authority of this test is none that the host trusts.
  t.match(error.message, /proxy localhost:\d+: (self-signed certificate|unable to)/);
  t.same(new Set(names), new Set(['localhost']));
});

t.test('a connection through the proxy is used again', async (t) => {
  const identity = createIdentity(['127.0.0.1']);
  const server = await apiServer(t, serve, { identity });
  const proxy = await proxyServer(t);
  const client = clientOf(t, server.url, { proxy: `http://${proxy.host}`, tls: { ca: identity.ca, verify: true } });
  for (let call = 0; call < 3; call++) {
    await client.get(JOBS, 'job-1');
    // A connection is free one turn of the event loop after its answer.
    await nextTurn();
    await nextTurn();
  }
  t.equal(proxy.requests.length, 1);
});

t.test('a server with an address of IPv6 and without TLS', async (t) => {
  const server = await apiServer(t, serve, { host: '::1' });
  const proxy = await proxyServer(t);
  t.strictSame((await clientOf(t, server.url, { proxy: `http://${proxy.host}` }).get(JOBS, 'job-1')).object, JOB);
  t.equal(proxy.requests[0]?.url, `[::1]:${server.port}`);
});

t.test('the certificate of the API server is verified in the tunnel', async (t) => {
  const identity = createIdentity(['somewhere.else']);
  const server = await apiServer(t, serve, { identity });
  const proxy = await proxyServer(t);
  const options = { proxy: `http://${proxy.host}`, tls: { ca: identity.ca, verify: true } };
  t.match(await failure(clientOf(t, server.url, options).get(JOBS, 'job-1')), {
    code: 'tls',
    reason: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
});

t.test('user and password are sent to the proxy, and are not in its refusal', async (t) => {
  const proxy = await proxyServer(t, '407 Proxy Authentication Required');
  const client = clientOf(t, 'http://192.0.2.1:6443', {
    proxy: `http://jane:s%40crit@${proxy.host}`,
    requestTimeoutMs: 300,
  });
  const error = await failure(client.get(JOBS, 'job-1'));
  t.equal(proxy.requests[0]?.headers['proxy-authorization'], 'Basic amFuZTpzQGNyaXQ=');
  t.match(
    error.message,
    `http://192.0.2.1:6443: proxy ${proxy.host} answered CONNECT 192.0.2.1:6443 with 407 Proxy Authentication Required`,
  );
  t.notMatch(error.message, /jane|s%40crit|s@crit|amFuZTpzQGNyaXQ=/);
});

t.test('a proxy that is unreachable is named', async (t) => {
  const client = clientOf(t, 'http://192.0.2.1:6443', { proxy: 'http://127.0.0.1:9', requestTimeoutMs: 300 });
  const error = await failure(client.get(JOBS, 'job-1'));
  t.match(error.message, /http:\/\/192\.0\.2\.1:6443: proxy 127\.0\.0\.1:9: connect ECONNREFUSED/);
});

t.test('a proxy that does not answer has the deadline of a connection', async (t) => {
  const proxy = await proxyServer(t, '');
  const client = clientOf(t, 'http://192.0.2.1:6443', {
    proxy: `http://${proxy.host}`,
    requestTimeoutMs: 60_000,
    timings: { connect: 100, retryFirst: 60_000, retryLongest: 60_000 },
  });
  const error = await failure(client.get(JOBS, 'job-1', { timeoutMs: 2_000 }));
  t.match(error.message, `proxy ${proxy.host}: no connection to 192.0.2.1:6443 after 0.1 s`);
});

t.test('exec goes through the proxy', async (t) => {
  const identity = createIdentity(['127.0.0.1']);
  const server = await apiServer(t, () => {}, { identity });
  const sockets = new WebSocketServer({ noServer: true });
  server.upgrades((request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (channel) => {
      channel.send(frame(3, SUCCESS));
      channel.close(1000);
    }),
  );
  const proxy = await proxyServer(t);
  const client = clientOf(t, server.url, { proxy: `http://${proxy.host}`, tls: { ca: identity.ca, verify: true } });
  t.equal((await client.exec('p', 'c', ['true'])).exitCode, 0);
  t.equal(proxy.requests.length, 1);
});

t.test('exec through a proxy that refuses', async (t) => {
  const proxy = await proxyServer(t, '403 Forbidden');
  const client = clientOf(t, 'http://192.0.2.1:6443', { proxy: `http://${proxy.host}` });
  const error = await failure(client.exec('p', 'c', ['true']));
  t.equal(error.code, 'unreachable');
  t.match(error.message, `proxy ${proxy.host} answered CONNECT 192.0.2.1:6443 with 403 Forbidden`);
});

t.test('a watch that a proxy forwards no longer, without closing it, is renewed and misses nothing', async (t) => {
  let isFrozen = false;
  const before = [pod('a', 5), pod('b', 6)];
  const server = await apiServer(t, ({ url, response, answer }) => {
    if (url.searchParams.get('watch') !== 'true')
      return answer(200, isFrozen ? listOf(9, [...before, pod('c', 9)]) : listOf(5, [pod('a', 5)]));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(line('ADDED', pod('b', 6)));
  });
  const proxy = await proxyServer(t);
  const timings = { watchSilence: 600, idleConnection: 200 };
  const client = clientOf(t, server.url, { proxy: `http://${proxy.host}`, timings });
  const events = { b: Promise.withResolvers<void>(), c: Promise.withResolvers<void>() };
  const reflector = client.reflector({
    resource: PODS,
    selection: {},
    project,
    onEvent: ({ object: { name } }) => {
      if (name === 'b' || name === 'c') events[name].resolve();
    },
  });
  const stopping = new AbortController();
  const running = reflector.run(stopping.signal);
  await events.b.promise;
  isFrozen = true;
  proxy.freeze();
  await events.c.promise;
  stopping.abort();
  await running;
});
