/** When the cluster is asked what it allows: what it refused is asked for again soon, the rest now and then. */
import t from 'tap';
import { createPermissions } from '../../src/jobs/permissions.ts';
import type { Permission } from '../../src/kubernetes/contract.ts';
import { silentLog } from '../../src/system/log.ts';
import { clientOf } from '../kubernetes/server.ts';
import { fakeClock } from '../support/fake-clock.ts';

t.test('given one wrong no, the feature is on again after half a minute', async (t) => {
  const clock = fakeClock();
  const unused = clientOf(t, 'http://127.0.0.1:9');
  let refused = 'log';
  let asked: string[] = [];
  const client = {
    ...unused,
    allowed: async ({ verb, resource, subresource }: Permission) => {
      asked.push(`${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`);
      return { allowed: subresource !== refused, reason: '' };
    },
  };
  const permissions = createPermissions(client, clock, silentLog);
  const ending = new AbortController();
  const running = permissions.run(ending.signal);
  /** What was asked in this time. */
  const pass = async (seconds: number): Promise<string[]> => {
    asked = [];
    for (let passed = 0; passed < seconds; passed += 10) {
      await new Promise(setImmediate);
      clock.advance(10_000);
    }
    await new Promise(setImmediate);
    return asked;
  };
  await permissions.reviewed;
  t.equal(asked.length, 29, 'everything at once');
  t.equal(permissions.allows('output'), false);

  t.strictSame(await pass(20), []);
  t.strictSame(await pass(10), ['get pods/log']);
  t.equal(permissions.allows('output'), false);
  refused = '';
  t.strictSame(await pass(30), ['get pods/log']);
  t.equal(permissions.allows('output'), true);

  t.strictSame(await pass(230), [], 'nothing is missing');
  t.equal((await pass(10)).length, 29, 'everything after five minutes');
  t.equal((await pass(300)).length, 29);
  ending.abort(new Error('the test ends'));
  await running;
});

t.test('one feature is reviewed at a time, so that a start opens few connections', async (t) => {
  let open = 0;
  let most = 0;
  const client = {
    ...clientOf(t, 'http://127.0.0.1:9'),
    allowed: async () => {
      most = Math.max(most, ++open);
      await new Promise(setImmediate);
      open--;
      return { allowed: true, reason: '' };
    },
  };
  const permissions = createPermissions(client, fakeClock(), silentLog);
  const ending = new AbortController();
  const running = permissions.run(ending.signal);
  await permissions.reviewed;
  t.equal(most, 6, 'the verbs of jobs');
  ending.abort(new Error('the test ends'));
  await running;
});

t.test('a round of reviews that fails is repeated completely after half a minute', async (t) => {
  const clock = fakeClock();
  let reviews = 0;
  let isReachable = false;
  const client = {
    ...clientOf(t, 'http://127.0.0.1:9'),
    allowed: async () => {
      reviews++;
      if (!isReachable) throw new Error('connection refused');
      return { allowed: true, reason: '' };
    },
  };
  const permissions = createPermissions(client, clock, silentLog);
  const ending = new AbortController();
  const running = permissions.run(ending.signal);
  await permissions.reviewed;
  t.equal(reviews, 6, 'ends at the first feature that fails');
  isReachable = true;
  reviews = 0;
  for (let passed = 0; passed < 30; passed += 10) {
    await new Promise(setImmediate);
    clock.advance(10_000);
  }
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  t.equal(reviews, 29);
  ending.abort(new Error('the test ends'));
  await running;
});
