/** A submit whose time is over leaves no job, whatever took its time: nobody would know of the job that runs. */
import t from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { type Clock, systemClock } from '../../../src/system/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { startPlugins } from '../instance.ts';
import { request, resolved } from '../requests.ts';

/** What of its 30 s a submit has for its work. */
const BUDGET_MS = 28_000;

/** A clock on which a submit's time passes when a test says so. */
function stoppedClock(): { readonly clock: Clock; readonly pass: () => void } {
  let ahead = 0;
  let timeIsOver = (): void => {};
  const clock: Clock = {
    now: systemClock.now,
    monotonic: () => systemClock.monotonic() + ahead,
    after: (ms, run) => {
      if (ms !== BUDGET_MS) return systemClock.after(ms, run);
      timeIsOver = run;
      return () => {};
    },
  };
  const pass = (): void => {
    ahead += BUDGET_MS;
    timeIsOver();
  };
  return { clock, pass };
}

const { cluster, instance } = await startPlugins(t);

t.test('the name services take all the time: nothing is made', async (t) => {
  const { clock, pass } = stoppedClock();
  const one = await instance({
    clock,
    resolve: async (asked) => {
      pass();
      return resolved(asked);
    },
  });
  await t.rejects(one.jobs.submit(request({ command: 'true' }), 'alice'), { code: 'timeout' });
  t.strictSame(
    cluster.journal.requests.filter(({ method, path }) => method === 'POST' && /\/jobs\b/.test(path)),
    [],
  );
  t.strictSame(one.jobs.list('*'), []);
});

t.test('asking for a missing permission takes the rest of the time: what was made is deleted', async (t) => {
  const { clock, pass } = stoppedClock();
  let refused = false;
  const one = await instance({
    clock,
    token: cluster.adminToken,
    wrap: (client) => ({
      ...client,
      create: async (resource, object, options) => {
        if (resource.kind !== 'Secret') return client.create(resource, object, options);
        refused = true;
        throw new KubernetesError({ code: 'forbidden', method: 'POST', path: '/', status: 403, text: 'no secrets' });
      },
      allowed: async (permission, options) => {
        if (!refused || permission.resource !== 'secrets') return client.allowed(permission, options);
        pass();
        return { allowed: false, reason: '' };
      },
    }),
  });
  await t.rejects(one.jobs.submit(request({ command: 'cat; sleep 600', stdin: 'x' }), 'alice'), { code: 'timeout' });
  await eventually(async () => (await one.client.list(JOBS)).items.length === 0);
  t.strictSame(one.jobs.list('*'), []);
  t.equal(one.announced.size, 0, 'nobody has heard of it');
});
