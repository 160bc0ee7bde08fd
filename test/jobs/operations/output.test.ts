/** The output of a job has complete characters, whatever the chunks in which its log arrives. */
import t from 'tap';
import type { Client } from '../../../src/kubernetes/contract.ts';
import { JOBS, PODS } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { eventually } from '../../support/eventually.ts';
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

/** Suspends and resumes a job while an instance has no watch of pods; resolves with its output there. */
async function resumedUnwatched(
  command: string,
  firstOutput: string,
  list?: (client: Client) => Client['list'],
): Promise<string> {
  const other = await instance({ token: cluster.adminToken });
  const watching = new AbortController();
  const one = await instance({
    wrap: (client) => ({
      ...client,
      ...(list === undefined ? {} : { list: list(client) }),
      reflector: (options) => {
        const reflector = client.reflector(options);
        if (options.resource.kind !== PODS.kind) return reflector;
        return { ...reflector, run: (signal) => reflector.run(AbortSignal.any([signal, watching.signal])) };
      },
    }),
  });
  const id = await other.submit({ command });
  await one.until(id, hasState('Running'));
  let output = '';
  const read = async () => {
    for await (const bytes of one.jobs.output(id, 'alice', AbortSignal.timeout(60_000)))
      output += Buffer.from(bytes).toString();
  };
  const reading = read();
  await eventually(() => output === firstOutput);
  watching.abort(new Error('the watch of pods is away'));
  await other.client.patch(JOBS, id, { spec: { suspend: true } });
  await other.until(id, ({ statusCode }) => statusCode === 'Suspended');
  await other.client.patch(JOBS, id, { spec: { suspend: false } });
  await one.until(id, hasState('Finished'));
  await reading;
  return output;
}

t.test('the end of a resumed job is known before its next pod: the log of that pod follows', async (t) => {
  t.equal(await resumedUnwatched('echo first; sleep 2; echo out', 'first\n'), 'first\nfirst\nout\n');
});

t.test('the end of a resumed job is known before its next pod, and its first pod had no log', async (t) => {
  t.equal(await resumedUnwatched('sleep 2; echo out', ''), 'out\n');
});

t.test('a list of its pods that fails thrice, for a token or a page of a proxy, is sent again', async (t) => {
  const errors = (['unauthorized', 'bad-answer', 'unauthorized'] as const).map(
    (code) => new KubernetesError({ code, method: 'GET', path: '/pods', text: 'not now' }),
  );
  const list = (client: Client) =>
    (async (...all: Parameters<Client['list']>) => {
      const error = all[0].kind === PODS.kind ? errors.shift() : undefined;
      if (error !== undefined) throw error;
      return client.list(...all);
    }) as Client['list'];
  t.equal(await resumedUnwatched('sleep 2; echo out', '', list), 'out\n');
  t.equal(errors.length, 0);
});

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
