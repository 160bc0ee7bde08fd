/**
 * A kill that has ended the container waits for a node that reports the end late: deleting the pod would delete its log. An end
 * that is reported in the moment of the deletion counts.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { fastClock, hasState, running, startPlugins } from '../instance.ts';

// Not beside the plugins of other tests, which would repeat the kill by their own clocks.
const { cluster, instance } = await startPlugins(t);
const SLEEPER = { command: 'echo out; sleep 600' };
const deletions = (id: string, { journal } = cluster): number =>
  journal.requests.filter(({ method, path }) => method === 'DELETE' && path.includes(`/pods/${id}-`)).length;

const GONE = new KubernetesError({
  code: 'server-error',
  method: 'EXEC',
  path: '',
  status: 500,
  text: 'container not found ("rs-launcher-container")',
});

t.test(
  'given a node that reports the end after 12 s, a second exec finds that it ended, and the log stays',
  async (t) => {
    const clock = fastClock(3);
    let attempts = 0;
    const one = await instance({
      clock,
      wrap: (client) => ({
        ...client,
        exec: async (...all) => {
          if (++attempts === 1) return { exitCode: 0, output: '', message: '' };
          if (attempts === 2) clock.after(2_000, () => void client.exec(...all).catch(() => undefined));
          throw GONE;
        },
      }),
    });
    const id = await running(one, SLEEPER);
    t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' });
    t.ok(attempts >= 2, `${attempts} attempts`);
    t.match(await one.until(id, hasState('Killed')), { status: 'Killed', exitCode: 137 });
    t.equal(deletions(id), 0);
    t.equal(await one.output(id), 'out\n');
  },
);

t.test(
  'given a node that never reports the end of a container that has ended, the pod is deleted in time',
  async (t) => {
    const clock = fastClock(40);
    let sent: number | undefined;
    let deleted = 0;
    const one = await instance({
      clock,
      wrap: (client) => ({
        ...client,
        exec: async () => {
          sent ??= clock.monotonic();
          throw GONE;
        },
        delete: (...all) => {
          deleted = clock.monotonic();
          return client.delete(...all);
        },
      }),
    });
    const id = await running(one, SLEEPER);
    t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' });
    t.equal(deletions(id), 1);
    t.ok(deleted - (sent ?? 0) >= 25_000, `${deleted - (sent ?? 0)} ms`);
  },
);

t.test('given a job that ends by itself just before its pod is deleted, answer and end agree', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gate-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  const gate = join(directory, 'gate');
  // Not beside the plugins above, which would repeat the kill.
  const { cluster, instance } = await startPlugins(t);
  const other = await instance();
  const one = await instance({
    clock: fastClock(20),
    wrap: (client) => ({
      ...client,
      exec: async () => {
        throw new KubernetesError({ code: 'server-error', method: 'EXEC', path: '', status: 400, text: 'no shell' });
      },
      delete: async (...all) => {
        writeFileSync(gate, '');
        await other.until(id, hasState('Finished'));
        return client.delete(...all);
      },
    }),
  });
  const id = await running(one, { command: `until [ -e ${gate} ]; do sleep 0.1; done` });
  t.notOk(existsSync(gate));
  await t.rejects(one.jobs.control(id, 'alice', 'kill'), { code: 'invalid-job-state' });
  for (const each of [one, other])
    t.match(await each.until(id, hasState('Finished')), { status: 'Finished', statusCode: 'Completed', exitCode: 0 });
  t.equal(deletions(id, cluster), 1);
});
