/** TCP keep-alive of every connection, as the kernel shows it: a silent connection is probed after 4 s. */
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { createIdentity } from '../../cluster/authority.ts';
import { apiServer, clientOf, JOB } from '../server.ts';

/** Others to the same port may have been closed by the test of another file. */
const ESTABLISHED = '01';

/** Kernel timers of the connections to this port: 2 is keep-alive; the time left in hundredths of a second. */
function timersTo(port: number): readonly { readonly timer: number; readonly left: number }[] {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , address, state]) => address?.endsWith(remote) && state === ESTABLISHED)
    .map(([, , , , , timer = '']) => timer.split(':').map((part) => Number.parseInt(part, 16)))
    .map(([timer = 0, left = 0]) => ({ timer, left }));
}

t.test('a connection for calls is probed after 4 s of silence', async (t) => {
  const server = await apiServer(t, ({ answer }) => answer(200, JOB));
  await clientOf(t, server.url).get(JOBS, 'job-1');
  const [connection] = timersTo(server.port);
  t.equal(connection?.timer, 2);
  t.ok(connection !== undefined && connection.left > 50 && connection.left <= 400, `${connection?.left}`);
});

t.test('a WebSocket is probed after 4 s of silence', async (t) => {
  const server = await apiServer(t, () => {});
  const sockets = new WebSocketServer({ noServer: true });
  server.upgrades((request, socket, head) => sockets.handleUpgrade(request, socket, head, () => {}));
  const client = clientOf(t, server.url);
  await client.attachInput('p', 'c', Buffer.from('x'));
  const [connection] = timersTo(server.port);
  t.equal(connection?.timer, 2);
  t.ok(connection !== undefined && connection.left > 50 && connection.left <= 400, `${connection?.left}`);
});

/** Follows a log that stays silent, and gives the kernel's timers of its connection. */
async function timersOfStream(t: Test, isTls: boolean): Promise<ReturnType<typeof timersTo>> {
  const identity = isTls ? createIdentity(['127.0.0.1']) : undefined;
  const requested = Promise.withResolvers<void>();
  const server = await apiServer(
    t,
    ({ response }) => {
      response.writeHead(200);
      response.flushHeaders();
      requested.resolve();
    },
    identity === undefined ? {} : { identity },
  );
  const client = clientOf(t, server.url, identity === undefined ? {} : { tls: { ca: identity.ca, verify: true } });
  const abort = new AbortController();
  const { signal } = new AbortController();
  const chunk = client
    .followLog({ pod: 'p', container: 'c', ended: signal }, abort.signal)
    [Symbol.asyncIterator]()
    .next();
  await requested.promise;
  const timers = timersTo(server.port);
  abort.abort();
  await chunk.catch(() => undefined);
  return timers;
}

for (const isTls of [false, true]) {
  t.test(`a stream ${isTls ? 'over TLS' : 'without TLS'} is probed after 4 s of silence`, async (t) => {
    const [connection] = await timersOfStream(t, isTls);
    t.equal(connection?.timer, 2);
    t.ok(connection !== undefined && connection.left > 50 && connection.left <= 400, `${connection?.left}`);
  });
}

t.test('a connection for calls over TLS is probed after 4 s of silence', async (t) => {
  const identity = createIdentity(['127.0.0.1']);
  const server = await apiServer(t, ({ answer }) => answer(200, JOB), { identity });
  await clientOf(t, server.url, { tls: { ca: identity.ca, verify: true } }).get(JOBS, 'job-1');
  const [connection] = timersTo(server.port);
  t.equal(connection?.timer, 2);
  t.ok(connection !== undefined && connection.left > 50 && connection.left <= 400, `${connection?.left}`);
});
