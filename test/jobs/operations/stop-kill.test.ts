/** A kill keeps the job's log where the API server only stumbles, and does without it where exec is impossible. */
import t from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { FAULTS, type Fault } from '../../cluster/faults/rules.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, running, startPlugins } from '../instance.ts';

const { cluster, instance } = await startPlugins(t);
const SLEEPER = { command: 'echo out; sleep 600' };
const asked = (method: string, path: RegExp) =>
  cluster.journal.requests.filter((each) => each.method === method && path.test(each.path)).length;
const deletions = (id: string): number => asked('DELETE', new RegExp(`/pods/${id}-`));

const STUMBLES: Readonly<Record<string, Fault>> = {
  '429': FAULTS.tooManyRequests,
  '500': FAULTS.internalError,
  '503': FAULTS.unavailable,
  '401': FAULTS.unauthorized,
  'the 403 of a server that has just started': FAULTS.transientForbidden,
  'a connection that breaks': FAULTS.resetBeforeWork,
  'no agent for the node': FAULTS.noAgent,
};

t.test('given an exec that fails in passing, the kill tries again, and the log stays', async (t) => {
  const one = await instance();
  const kill = async ([what, fault]: readonly [string, Fault]): Promise<void> => {
    const id = await running(one, SLEEPER);
    const rule = cluster.faults.add({ method: 'GET', path: new RegExp(`/pods/${id}-\\w+/exec\\?`), fault, times: 3 });
    t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' }, what);
    t.equal(rule.hits(), 3, what);
    t.match(await one.until(id, hasState('Killed')), { status: 'Killed', exitCode: 137 }, what);
    t.equal(deletions(id), 0, what);
    t.equal(await one.output(id), 'out\n', what);
  };
  await Promise.all(Object.entries(STUMBLES).map(kill));
});

t.test('given an exec that goes on failing, the pod is deleted within 20 s, and the answer is in time', async (t) => {
  const limits: (number | undefined)[] = [];
  const one = await instance({
    clock: fastClock(20),
    wrap: (client) => ({
      ...client,
      exec: async (_pod, _container, _command, options) => {
        limits.push(options?.timeoutMs);
        throw new KubernetesError({ code: 'server-error', method: 'EXEC', path: '', status: 503, text: 'busy' });
      },
    }),
  });
  const id = await running(one, SLEEPER);
  t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' });
  t.match(await one.until(id, hasState('Killed')), { status: 'Killed', exitCode: 137 });
  t.equal(deletions(id), 1);
  t.ok(limits.length >= 3 && limits.length <= 14, `${limits.length} attempts`);
  t.ok(
    limits.every((limit, at) => limit !== undefined && limit <= (limits[at - 1] ?? 20_000)),
    `what is left of 20 s: ${limits}`,
  );
});

t.test(
  'given an exec that seems to have no effect, the node has 10 s to report the end, before the log goes',
  async (t) => {
    const clock = fastClock(40);
    const times: number[] = [];
    const one = await instance({
      clock,
      wrap: (client) => ({
        ...client,
        exec: async () => {
          times.push(clock.monotonic());
          return { exitCode: 0, output: '', message: '' };
        },
        delete: (...all) => {
          times.push(clock.monotonic());
          return client.delete(...all);
        },
      }),
    });
    const id = await running(one, SLEEPER);
    t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' });
    t.equal(deletions(id), 1);
    const [sent = 0, again = 0, deleted = 0] = times;
    t.ok(again - sent >= 10_000, `${again - sent} ms`);
    t.ok(deleted - again < 10_000, `${deleted - again} ms after the second exec, which found it running`);
  },
);

t.test('given an exec that is impossible, the pod is deleted at once', async (t) => {
  const cases: readonly (readonly [code: 'bad-request' | 'forbidden' | 'not-found', status: number, text: string])[] = [
    ['bad-request', 400, 'container rs-launcher-container is not valid for pod x'],
    ['forbidden', 403, 'pods "x" is forbidden: exec operation is not allowed in namespace rstudio'],
    ['not-found', 404, 'the server could not find the requested resource'],
  ];
  for (const [code, status, text] of cases) {
    let attempts = 0;
    const one = await instance({
      wrap: (client) => ({
        ...client,
        exec: async () => {
          attempts++;
          throw new KubernetesError({ code, method: 'EXEC', path: '', status, text });
        },
      }),
    });
    const id = await running(one, SLEEPER);
    t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' }, text);
    t.equal(attempts, 1, text);
    t.equal(deletions(id), 1, text);
  }
});

for (const [minor, parallelism] of [
  [24, 0],
  [25, 1],
] as const) {
  t.test(`given Kubernetes 1.${minor}, a kill that deletes the pod leaves parallelism ${parallelism}`, async (t) => {
    const one = await instance({
      options: { killMethod: 'delete' },
      wrap: (client) => ({ ...client, version: async () => ({ major: 1, minor, gitVersion: `v1.${minor}.0` }) }),
    });
    const id = await running(one, SLEEPER);
    t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' });
    t.equal((await one.client.get(JOBS, id)).object.spec?.parallelism, parallelism);
  });
}

t.test(
  'given a recorded stop that is refused, doing it again has failed, and is not tried at the same pace',
  async (t) => {
    const one = await instance({ clock: fastClock(40) });
    const id = await running(one, SLEEPER);
    const body = JSON.stringify({ kind: 'Status', reason: 'Invalid', message: 'policy says no', code: 422 });
    const refused = { status: 422, contentType: 'application/json', body };
    cluster.faults.add({
      method: 'PATCH',
      path: /\/pods\//,
      fault: { type: 'answer', answer: refused },
      times: Number.POSITIVE_INFINITY,
    });
    const record = JSON.stringify({ operation: 'stop', at: '', user: 'alice' });
    await one.client.patch(JOBS, id, { metadata: { annotations: { 'job-launcher/control': record } } });
    const failures = () =>
      one.log.filter(({ sentence }) => sentence === 'Cannot repeat the stop or kill of a job; retrying');
    await eventually(() => failures().length >= 2);
    t.match(failures()[0], {
      level: 'warning',
      fields: { job: id, error: { message: 'Kubernetes refused the stop: policy says no' } },
    });
    cluster.faults.clear();
    t.match(await one.until(id, hasState('Finished')), { statusCode: 'Stopped', exitCode: 143 });
  },
);
