/** A command runs over a WebSocket to its exit code or to an error, and the upgrade fails as any other call does. */
import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { createIdentity } from '../../cluster/authority.ts';
import { apiServer, clientOf, failure, Signal, status } from '../server.ts';
import { frame, SUCCESS, serving, V4, V5 } from './channels.ts';

const EXIT_4 =
  '{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: command terminated with exit code 4","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"4"}]}}';
const NO_PROGRAM =
  '{"metadata":{},"status":"Failure","message":"Internal error occurred: error executing command in container: stat /no/such: no such file or directory","reason":"InternalError","code":500}';

t.test('exec: output of both channels, exit code, and the end as a server makes it', async (t) => {
  const { client, urls, offered } = await serving(t, V5, (socket) => {
    socket.send(frame(1, ''));
    socket.send(frame(3, ''));
    socket.send(frame(1, 'out 1\n'));
    socket.send(frame(2, 'err\n'));
    socket.send(frame(1, 'out 2\n'));
    socket.send(frame(3, EXIT_4));
    socket.close(1000);
  });
  t.strictSame(await client.exec('p', 'c', ['/bin/sh', '-c', "echo 'a;b' + c & d"]), {
    exitCode: 4,
    output: 'out 1\nerr\nout 2\n',
    message: 'command terminated with non-zero exit code: command terminated with exit code 4',
  });
  t.strictSame(urls, [
    '/api/v1/namespaces/rstudio/pods/p/exec?container=c&command=%2Fbin%2Fsh&command=-c&command=echo%20%27a%3Bb%27%20%2B%20c%20%26%20d&stdout=true&stderr=true',
  ]);
  t.strictSame(offered, ['v5.channel.k8s.io,v4.channel.k8s.io']);
});

/** The result of a command whose server sends this Status, or none. */
async function resultOf(t: Test, text: string | undefined): Promise<unknown> {
  const { client } = await serving(t, V4, (socket) => {
    if (text !== undefined) socket.send(frame(3, text));
    socket.close(1000);
  });
  return client.exec('p', 'c', ['true']);
}

t.test('exec: a Status of success is exit code 0', async (t) => {
  t.strictSame(await resultOf(t, SUCCESS), { exitCode: 0, output: '', message: '' });
});

t.test('exec: a program that cannot be started has no exit code', async (t) => {
  t.strictSame(await resultOf(t, NO_PROGRAM), {
    exitCode: undefined,
    output: '',
    message: 'Internal error occurred: error executing command in container: stat /no/such: no such file or directory',
  });
});

t.test('exec: the token is redacted in the message of a Status', async (t) => {
  const echo = JSON.stringify(status(500, 'InternalError', 'the node did not accept Bearer token-1'));
  t.strictSame(await resultOf(t, echo), {
    exitCode: undefined,
    output: '',
    message: 'the node did not accept Bearer ***',
  });
});

t.test('exec: a Status that is not JSON is the message', async (t) => {
  t.strictSame(await resultOf(t, 'not JSON'), { exitCode: undefined, output: '', message: 'not JSON' });
});

t.test('exec: without a Status the exit code is unknown', async (t) => {
  t.strictSame(await resultOf(t, undefined), { exitCode: undefined, output: '', message: '' });
});

t.test('exec: output is bounded', async (t) => {
  const { client } = await serving(t, V5, (socket) => {
    for (let i = 0; i < 20; i++) socket.send(frame(1 + (i % 2), 'x'.repeat(16_384)));
    socket.send(frame(3, SUCCESS));
    socket.close(1000);
  });
  t.equal((await client.exec('p', 'c', ['yes'])).output.length, 65_536);
  t.equal((await client.exec('p', 'c', ['yes'], { maxOutputBytes: 10 })).output, 'xxxxxxxxxx');
});

t.test('exec: a command that writes without end is an error, and its connection is closed', async (t) => {
  const closed = new Signal();
  let sent = 0;
  const { client } = await serving(t, V5, (socket) => {
    socket.on('close', () => closed.give());
    const flood = (): void => {
      if (socket.readyState !== socket.OPEN) return;
      sent += 16_384;
      socket.send(frame(1 + (sent % 2), 'x'.repeat(16_384)), () => setImmediate(flood));
    };
    flood();
  });
  await t.rejects(client.exec('p', 'c', ['yes']), {
    code: 'bad-answer',
    reason: 'AnswerTooLong',
    text: 'the command wrote more than 1048576 bytes',
  });
  await closed.promise;
  // What had been read, and what the connection had room for.
  t.ok(sent > 1_048_576 && sent < 20_000_000, `${sent} bytes were sent`);
});

t.test('exec: a connection that is lost before the Status is an error', async (t) => {
  const { client } = await serving(t, V5, (socket) => {
    socket.send(frame(1, 'begun'), () => socket.terminate());
  });
  await t.rejects(client.exec('p', 'c', ['x']), { name: 'KubernetesError', code: 'interrupted' });
});

t.test('exec: a connection that is lost after the Status has its result', async (t) => {
  const { client } = await serving(t, V5, (socket) => {
    socket.send(frame(3, SUCCESS), () => socket.terminate());
  });
  t.equal((await client.exec('p', 'c', ['x'])).exitCode, 0);
});

t.test('exec: a server that leaves the connection open after the Status', async (t) => {
  const closed = new Signal();
  const { client } = await serving(
    t,
    V5,
    (socket) => {
      socket.on('close', () => closed.give());
      socket.send(frame(3, EXIT_4));
      socket.send(frame(1, 'output after the Status'));
    },
    { timings: { execClose: 50 } },
  );
  t.match(await client.exec('p', 'c', ['x'], { timeoutMs: 60_000 }), {
    exitCode: 4,
    output: 'output after the Status',
  });
  await closed.promise;
});

t.test('exec: a deadline closes the connection of a silent server', async (t) => {
  // The deadline begins before the connection: long enough for a busy machine to connect within it.
  const closed = new Signal();
  const { client } = await serving(t, V5, (socket) => socket.on('close', () => closed.give()));
  await t.rejects(client.exec('p', 'c', ['x'], { timeoutMs: 1_000 }), { code: 'timeout' });
  await closed.promise;
});

t.test('exec: an aborted signal rejects with its reason', async (t) => {
  const { client } = await serving(t, V5, () => {});
  const leaving = new AbortController();
  const running = client.exec('p', 'c', ['x'], { signal: leaving.signal });
  leaving.abort(new Error('no longer wanted'));
  await t.rejects(running, { message: 'no longer wanted' });
});

for (const operation of ['exec', 'attach'] as const) {
  t.test(`${operation}: the upgrade has a deadline`, async (t) => {
    const server = await apiServer(t, () => {});
    server.upgrades(() => {});
    const client = clientOf(t, server.url, { requestTimeoutMs: 60 });
    const running: Promise<unknown> =
      operation === 'exec' ? client.exec('p', 'c', ['x']) : client.attachInput('p', 'c', Buffer.from('x'));
    t.equal((await failure(running)).code, 'timeout');
  });
}

t.test('a refused upgrade is an API error like any other', async (t) => {
  const refusing = async (code: number, type: string, body: string): Promise<unknown> => {
    const server = await apiServer(t, () => {});
    server.upgrades((_request, socket) => {
      socket.end(
        `HTTP/1.1 ${code} Whatever\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    });
    const client = clientOf(t, server.url);
    return client.exec('p', 'c', ['x']).catch((error: unknown) => error);
  };
  const missing = await refusing(
    404,
    'application/json',
    JSON.stringify(status(404, 'NotFound', 'pods "p" not found')),
  );
  t.ok(missing instanceof KubernetesError && missing.code === 'not-found');
  t.equal(
    missing instanceof KubernetesError && missing.message,
    'Kubernetes has no such object: pods "p" not found [GET /api/v1/namespaces/rstudio/pods/p/exec: 404 NotFound]',
  );
  const early = await refusing(500, 'text/plain', 'container rs-launcher-container not found in pod x_ns');
  t.ok(early instanceof KubernetesError && early.code === 'server-error' && early.text.includes('not found in pod'));
  const unknown = await refusing(403, 'text/plain', '');
  t.ok(unknown instanceof KubernetesError && unknown.code === 'forbidden' && unknown.status === 403);
  const redirect = await refusing(302, 'text/plain', '');
  t.ok(redirect instanceof KubernetesError && redirect.code === 'redirected');
  const echo = await refusing(400, 'text/plain', 'authorization: Bearer token-1\nhost: x');
  t.equal(echo instanceof KubernetesError && echo.text, 'authorization: Bearer ***');
  const nobody = await clientOf(t, 'http://127.0.0.1:1')
    .exec('p', 'c', ['x'])
    .catch((error: unknown) => error);
  t.ok(nobody instanceof KubernetesError && nobody.code === 'unreachable');
});

t.test('a token that was replaced: the 401 of an upgrade leads to the new one', async (t) => {
  const path = `${t.testdir({ token: 'old' })}/token`;
  const seen: string[] = [];
  const server = await apiServer(t, () => {});
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v5.channel.k8s.io' });
  server.upgrades((request, socket, head) => {
    seen.push(String(request.headers.authorization));
    if (seen.length === 1) {
      writeFileSync(path, 'new-one');
      socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (accepted) => {
      accepted.send(frame(3, SUCCESS));
      accepted.close(1000);
    });
  });
  const client = clientOf(t, server.url, { credentials: { kind: 'token-file', path } });
  t.equal((await client.exec('p', 'c', ['x'])).exitCode, 0);
  t.strictSame(seen, ['Bearer old', 'Bearer new-one']);
});

t.test('TLS: the authority and the verify toggle hold for WebSockets', async (t) => {
  const identity = createIdentity(['localhost']);
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v5.channel.k8s.io' });
  const server = await apiServer(t, () => {}, { identity });
  server.upgrades((request, socket, head) => {
    t.equal(request.headers.authorization, 'Bearer token-1');
    sockets.handleUpgrade(request, socket, head, (accepted) => {
      accepted.send(frame(3, SUCCESS));
      accepted.close(1000);
    });
  });
  const byName = `https://localhost:${server.port}`;
  const trusted = clientOf(t, byName, { tls: { ca: identity.ca, verify: true } });
  t.equal((await trusted.exec('p', 'c', ['x'])).exitCode, 0);
  await t.rejects(clientOf(t, byName).exec('p', 'c', ['x']), { code: 'tls' }, 'an unknown authority');
  const wrongName = clientOf(t, server.url, { tls: { ca: identity.ca, verify: true } });
  await t.rejects(wrongName.exec('p', 'c', ['x']), { code: 'tls' }, 'a certificate for another name');
  const careless = clientOf(t, server.url, { tls: { verify: false } });
  t.equal((await careless.exec('p', 'c', ['x'])).exitCode, 0);
});
