/** Input that is kept in memory, because Secrets may not be created, is released when the container has received it. */
import t from 'tap';
import type { JobsContext } from '../../../src/jobs/context.ts';
import { Inputs } from '../../../src/jobs/operations/input.ts';
import type { JobRecord } from '../../../src/jobs/view/record.ts';
import { silentLog } from '../../../src/system/log.ts';
import { fakeClock } from '../../support/fake-clock.ts';

/** Input of a running job that this process has claimed, and where it was read: in memory, or else in the cluster. */
async function start(attachInput: () => Promise<void>) {
  const attached: string[] = [];
  let reads = 0;
  const record = {
    id: 'job-1',
    uid: 'uid-1',
    job: { name: 'job-1', uid: 'uid-1', stdinDue: true, stdinClaim: 'host/kube/1 pod-uid' },
    pod: {
      present: true,
      view: { uid: 'pod-uid', name: 'pod', phase: 'Running', container: { name: 'c', running: {} } },
    },
    deleted: false,
  } as unknown as JobRecord;
  const context = {
    processId: 'host/kube/1',
    client: {
      attachInput: async (_pod: string, _container: string, input: Buffer) => {
        attached.push(input.toString());
        await attachInput();
      },
      get: async () => {
        reads++;
        return { object: {} };
      },
    },
    permissions: { allows: () => false },
    repository: { onUpdate: () => () => {}, setInputProblem: () => {} },
    clock: fakeClock(),
    random: () => 0,
    log: silentLog,
    signal: new AbortController().signal,
  } as unknown as JobsContext;
  const inputs = new Inputs(context);
  await inputs.put({ name: 'job-1', uid: 'uid-1' }, 'text', context.signal);
  /** Looks for the input once more, as for the claim of another process. */
  const isInMemory = async (): Promise<boolean> => {
    const before = reads;
    await inputs.checkClaim(record);
    return reads === before;
  };
  return { inputs, record, attached, isInMemory };
}

t.test('input in memory is released after its delivery', async (t) => {
  const { inputs, record, attached, isInMemory } = await start(async () => {});
  t.ok(await isInMemory());
  await inputs.deliver(record);
  t.strictSame(attached, ['text']);
  t.notOk(await isInMemory());
});

t.test('input in memory is released after a delivery that was cut', async (t) => {
  const { inputs, record, isInMemory } = await start(() => Promise.reject(new Error('the connection ended')));
  await t.rejects(inputs.deliver(record), { message: 'the connection ended' });
  t.notOk(await isInMemory());
});
