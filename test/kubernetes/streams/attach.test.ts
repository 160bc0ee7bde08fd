/** Input reaches a container whole and once, and then its end; what cannot be passed on is an error, not silence. */
import t from 'tap';
import type { WebSocket } from 'ws';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { collectAllGarbage } from '../../support/garbage.ts';
import { Signal } from '../server.ts';
import { frame, SUCCESS, serving, V4, V5 } from './channels.ts';

/** What a container got, and whether it saw the end of its input. */
function stdinOf(socket: WebSocket, ended: () => void): Buffer[] {
  const got: Buffer[] = [];
  socket.on('message', (data: Buffer) => {
    if (data[0] === 0) got.push(data.subarray(1));
    if (data[0] === 255 && data[1] === 0 && data.length === 2) ended();
  });
  return got;
}

t.test('attach v5: writes the input, closes its channel, and leaves the connection to the server', async (t) => {
  const input = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  const ended = new Signal();
  const closed = new Signal<number>();
  let got: Buffer[] = [];
  let container: WebSocket | undefined;
  const { client, urls } = await serving(t, V5, (socket) => {
    container = socket;
    got = stdinOf(socket, ended.give.bind(ended));
    socket.on('close', (code) => closed.give(code));
  });
  await client.attachInput('p', 'c', input);
  await ended.promise;
  t.ok(Buffer.concat(got).equals(input));
  t.ok(got.every((part) => part.length <= 32_768));
  t.strictSame(urls, ['/api/v1/namespaces/rstudio/pods/p/attach?container=c&stdin=true']);
  t.equal(container?.readyState, 1, 'still open');
  container?.send(frame(3, SUCCESS));
  container?.close(1000);
  t.equal(await closed.promise, 1000);
});

t.test('attach v5: it is done when the server has read it, not when it was sent', async (t) => {
  let read = false;
  const { client } = await serving(t, V5, (socket) => {
    socket.pause();
    setTimeout(() => {
      read = true;
      socket.resume();
    }, 50);
  });
  await client.attachInput('p', 'c', Buffer.alloc(1_000));
  t.equal(read, true);
});

t.test('attach v5: what the server leaves open ends with the client', async (t) => {
  const closed = new Signal();
  const { client } = await serving(t, V5, (socket) => socket.on('close', () => closed.give()));
  await client.attachInput('p', 'c', Buffer.alloc(0));
  await client.close();
  await closed.promise;

  const begun = new Signal();
  const running = await serving(t, V5, (socket) => {
    socket.on('pong', () => begun.give());
    socket.ping();
  });
  const exec = running.client.exec('p', 'c', ['sleep', '60']);
  await begun.promise;
  await Promise.all([t.rejects(exec, { code: 'interrupted' }), running.client.close()]);
});

t.test('attach v4: closing the connection is the end of the input', async (t) => {
  const input = Buffer.alloc(100_000, 'y');
  let got: Buffer[] = [];
  const closed = new Signal<number>();
  const { client } = await serving(t, V4, (socket) => {
    got = stdinOf(socket, () => t.fail('v4 has no close channel'));
    socket.send(frame(3, ''));
    socket.on('close', (code) => closed.give(code));
  });
  await client.attachInput('p', 'c', input);
  t.equal(await closed.promise, 1000);
  t.ok(Buffer.concat(got).equals(input));
});

t.test('attach: a container that ends before it has taken everything', async (t) => {
  const { client } = await serving(t, V5, (socket) => {
    socket.once('message', () => {
      socket.send(frame(3, SUCCESS));
      socket.close(1000);
      socket.pause();
    });
  });
  const error: unknown = await client
    .attachInput('p', 'c', Buffer.alloc(20_000_000))
    .catch((reason: unknown) => reason);
  t.ok(error instanceof KubernetesError && error.code === 'interrupted', String(error));
  const taken = Number(/ after (\d+) of 20000000 bytes/.exec(String(error))?.[1]);
  t.ok(taken > 0 && taken < 12_000_000, `back-pressure: ${taken} bytes had left when it ended`);
});

t.test('attach: a signal ends it', async (t) => {
  const attached = new Signal<WebSocket>();
  const { client } = await serving(t, V5, (socket) => {
    socket.pause();
    attached.give(socket);
  });
  const leaving = new AbortController();
  const running = client.attachInput('p', 'c', Buffer.alloc(20_000_000), { signal: leaving.signal });
  await attached.promise;
  leaving.abort(new Error('the job was killed'));
  await t.rejects(running, { message: 'the job was killed' });
});

t.test('attach: a server that freezes after the upgrade', async (t) => {
  const { client } = await serving(t, V5, (socket) => socket.pause());
  const running = client.attachInput('p', 'c', Buffer.alloc(1_000), { timeoutMs: 150 });
  await t.rejects(running, { code: 'timeout' });
  const v4 = await serving(t, V4, (socket) => socket.pause());
  await t.rejects(v4.client.attachInput('p', 'c', Buffer.alloc(1_000), { timeoutMs: 150 }), { code: 'timeout' });
});

t.test('attach v5: delivered input is released while the container runs', async (t) => {
  const { client } = await serving(t, V5, () => {});
  const deliver = async (): Promise<WeakRef<Uint8Array>> => {
    const input = new Uint8Array(1_000_000);
    await client.attachInput('p', 'c', input);
    return new WeakRef(input);
  };
  const input = await deliver();
  await collectAllGarbage();
  t.equal(input.deref(), undefined);
});
