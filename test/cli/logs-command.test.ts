/** `logs ID` prints the output of a job: all of it, its last lines, or what comes until its end. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { listen, NOWHERE, run } from './harness.ts';
import { startJobsCluster } from './jobs-cluster.ts';

const { submit, command, untilRunning, untilFailed, untilWaiting, close } = await startJobsCluster();
t.teardown(close);

const job = (command: string, image = 'busybox') => ({ name: 'x', command, container: { image } });

/** A job that has written five lines and failed. */
const five = async (t: Test): Promise<string> => {
  const id = await submit(t, job('for i in 1 2 3 4 5; do echo "line $i"; done; exit 1'), 'jane');
  await untilFailed(id);
  return id;
};

t.test('prints the output so far', async (t) => {
  const { out, code, err } = await command(t, ['logs', await five(t)]);
  t.strictSame([out, code, err], ['line 1\nline 2\nline 3\nline 4\nline 5\n', 0, '']);
});

for (const [count, expected] of [
  ['2', 'line 4\nline 5\n'],
  ['0', ''],
  ['5', 'line 1\nline 2\nline 3\nline 4\nline 5\n'],
  ['99', 'line 1\nline 2\nline 3\nline 4\nline 5\n'],
] as const) {
  t.test(`--tail ${count}`, async (t) => {
    t.equal((await command(t, ['logs', await five(t), '--tail', count])).out, expected);
  });
}

t.test('--tail of output without a newline at its end', async (t) => {
  const id = await submit(t, job('printf "a\\nb\\nc"; exit 1'), 'jane');
  await untilFailed(id);
  t.equal((await command(t, ['logs', id, '--tail=1'])).out, 'c');
});

t.test('--tail counts empty lines', async (t) => {
  const id = await submit(t, job('printf "\\n\\nb"; exit 1'), 'jane');
  await untilFailed(id);
  t.equal((await command(t, ['logs', id, '--tail=2'])).out, '\nb');
});

for (const flag of ['--stdout', '--stderr']) {
  t.test(`${flag} prints the one log of the container, and a notice on stderr`, async (t) => {
    const id = await submit(t, job('echo out; sleep 0.2; echo err >&2; exit 1'), 'jane');
    await untilFailed(id);
    const { out, err, code } = await command(t, ['logs', id, flag]);
    t.strictSame(
      [out, err, code],
      ['out\nerr\n', 'Kubernetes keeps stdout and stderr of a container in one log; printing both.\n', 0],
    );
  });
}

t.test('--tail that is no number', async (t) => {
  const { code, err } = await command(t, ['logs', 'x', '--tail', 'all']);
  t.strictSame([code, err], [2, 'rstudio-kubernetes-launcher: logs: --tail is a number from 0 to 100000, not "all"\n']);
});

t.test('--follow prints what comes until the end of the job', async (t) => {
  const id = await submit(t, job('echo first; sleep 1; echo last; exit 1'), 'jane');
  await untilRunning(id);
  const { out, code } = await command(t, ['logs', id, '-f']);
  t.strictSame([out, code], ['first\nlast\n', 0]);
});

t.test('--follow --tail begins with the last lines', async (t) => {
  const id = await submit(t, job('echo 1; echo 2; echo 3; sleep 2; echo 4; exit 1'), 'jane');
  await untilRunning(id);
  // A running container may have written nothing yet.
  while (!(await command(t, ['logs', id])).out.includes('3\n'));
  const { out } = await command(t, ['logs', id, '-f', '--tail=1']);
  t.match(out, /^(3\n)?4\n$/);
});

t.test('Ctrl-C ends --follow', async (t) => {
  const id = await submit(t, job('echo first; sleep 600'), 'jane');
  await untilRunning(id);
  const interrupt = new AbortController();
  let seen = '';
  const pass = async (bytes: Uint8Array): Promise<void> => {
    seen += Buffer.from(bytes).toString();
    interrupt.abort();
  };
  const { code } = await command(t, ['logs', id, '-f'], { terminal: { interrupted: () => interrupt.signal, pass } });
  t.strictSame([seen, code], ['first\n', 0]);
});

t.test('on a terminal control characters are escaped', async (t) => {
  const id = await submit(t, job('printf "a\\tb\\033[2Jc\\n"; exit 1'), 'jane');
  await untilFailed(id);
  t.equal((await command(t, ['logs', id], { terminal: { rows: 24 } })).out, 'a\tb\\u001b[2Jc\n');
  t.equal((await command(t, ['logs', id])).out, 'a\tb\u001b[2Jc\n');
});

t.test('a job that is Pending has no output yet', async (t) => {
  const id = await submit(t, job('true', 'missing/image'), 'jane');
  await untilWaiting(id, 'ImagePullBackOff');
  const { code, out, err } = await command(t, ['logs', id]);
  t.strictSame([code, out, err], [0, '', `Job ${id} is Pending; it has no output yet.\n`]);
});

t.test('a job that does not exist', async (t) => {
  for (const flags of [[], ['-f']]) {
    const { code, err } = await command(t, ['logs', 'nosuch', ...flags]);
    t.strictSame([code, err], [1, 'rstudio-kubernetes-launcher: there is no job nosuch in namespace rstudio\n']);
  }
});

t.test('no connection stays open', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer({ keepAliveTimeout: 0 }, (_request, response) =>
    response.end('{"kind":"List","metadata":{"resourceVersion":"1"},"items":[]}'),
  ).on('connection', (socket: Socket) => sockets.push(socket));
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  const { code } = await run(t, ['logs', 'nosuch'], { options: { ...NOWHERE, 'api-url': url } });
  t.equal(code, 1);
  for (const socket of sockets) if (!socket.destroyed) await once(socket, 'close');
  t.ok(sockets.length > 0);
});
