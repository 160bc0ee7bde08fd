/** The output of a job has complete characters, whatever the chunks in which its log arrives. */
import t from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { terminal as hasEnded, hasState, startPlugins } from '../instance.ts';

const { cluster, instance } = await startPlugins(t);

t.test('a chunk after half a character is decoded together with it', async (t) => {
  const chunks = [[0x61, 0xc3], [0x78], [0xe2, 0x80], [0x79], [0xc3], [0xa9]];
  const one = await instance({
    wrap: (client) => ({
      ...client,
      followLog: async function* () {
        for (const chunk of chunks) yield Uint8Array.from(chunk);
      },
    }),
  });
  const id = await one.submit({ command: 'true' });
  await one.until(id, hasEnded);
  t.equal(await one.output(id), 'a\ufffdx\ufffdyé');
});

const NOT_FOUND = { code: 'not-found', method: 'GET', path: '/log', text: 'pods "x" not found' } as const;

t.test(
  'a pod that was deleted by a suspension before its log was read: the log of the next pod is the output',
  async (t) => {
    const reads: string[] = [];
    const one = await instance({
      token: cluster.adminToken,
      wrap: (client) => ({
        ...client,
        followLog: async function* (subject, signal) {
          reads.push(subject.pod);
          if (reads.length === 1) throw new KubernetesError(NOT_FOUND);
          yield* client.followLog(subject, signal);
        },
      }),
    });
    const id = await one.submit({ command: 'sleep 1; echo out' });
    await one.until(id, hasState('Running'));
    const output = one.output(id);
    await one.client.patch(JOBS, id, { spec: { suspend: true } });
    await one.until(id, ({ statusCode }) => statusCode === 'Suspended');
    await one.client.patch(JOBS, id, { spec: { suspend: false } });
    t.equal(await output, 'out\n');
    t.equal(new Set(reads).size, 2, 'two pods');
  },
);

t.test('a job that ended, with a deleted pod, has no output any more', async (t) => {
  const one = await instance({
    wrap: (client) => ({
      ...client,
      followLog: () => {
        throw new KubernetesError(NOT_FOUND);
      },
    }),
  });
  const id = await one.submit({ command: 'true' });
  await one.until(id, hasEnded);
  await t.rejects(one.output(id), { code: 'output-not-found' });
});
