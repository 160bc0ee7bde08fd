/** Of nodes that are away, come back, start anew or are gone, clients of the API see what a real cluster shows. */
import t from 'tap';
import { eventually } from '../support/eventually.ts';
import { EVENTS, JOBS, NODES, PODS } from './api/resources.ts';
import { type SimulatedCluster, startCluster } from './cluster.ts';
import { isFinishedJob } from './model.ts';
import {
  type Caller,
  CONTAINER,
  createCaller,
  hasEnded,
  isRunning,
  JOBS_PATH,
  jobBody,
  PODS_PATH,
  until,
  untilPod,
} from './testing.ts';

async function withCluster(
  options: Parameters<typeof startCluster>[0],
  work: (cluster: SimulatedCluster, caller: Caller) => Promise<void>,
): Promise<void> {
  const cluster = await startCluster(options);
  const caller = createCaller(cluster);
  try {
    await work(cluster, caller);
  } finally {
    await caller.close();
    await cluster.close();
  }
}

const TICKS = ['/bin/sh', '-c', 'i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo tick $i; sleep 0.1; done'];

t.test('a node that starts anew: what ran on it is over with 255, whatever it was', (t) =>
  withCluster({ speed: 20 }, async (cluster, { call }) => {
    await call('POST', JOBS_PATH, jobBody('cut', ['/bin/sh', '-c', 'echo started; sleep 300']));
    const { metadata } = await untilPod(cluster, 'cut', isRunning);
    // A running container may have written nothing yet.
    while (!cluster.journal.outputs().some(({ podUid, bytes }) => podUid === metadata.uid && bytes > 0))
      await new Promise((resolve) => setTimeout(resolve, 5));
    cluster.cutNode();
    t.match((await call('GET', `${PODS_PATH}/${metadata.name}`)).body, { status: { phase: 'Running' } });
    cluster.startKubelet();
    const { status } = await untilPod(cluster, 'cut', hasEnded);
    t.match(status, {
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: { exitCode: 255, reason: 'Unknown' } } }],
    });
    t.equal(status.reason, undefined);
    const job = await until(cluster, JOBS, (one) => one.metadata.name === 'cut' && isFinishedJob(one));
    t.match(job.status.conditions?.at(-1), { type: 'Failed', reason: 'BackoffLimitExceeded' });
    await new Promise((resolve) => setTimeout(resolve, 1000 / 20));
    t.equal((await call('GET', `${PODS_PATH}/${metadata.name}/log`)).text, 'started\n', 'its log is still there');
  }),
);

t.test(
  'a kubelet that is killed: follow ends cleanly, an attach breaks, stdin is closed (kubernetes-facts.md 82, 93, 94)',
  (t) =>
    withCluster({ speed: 5 }, async (cluster, { call, stream }) => {
      await call('POST', JOBS_PATH, jobBody('ticks', TICKS));
      await call('POST', JOBS_PATH, jobBody('cat', ['/bin/cat'], {}, { stdin: true, stdinOnce: true }));
      const ticks = (await untilPod(cluster, 'ticks', isRunning)).metadata.name;
      const cat = (await untilPod(cluster, 'cat', isRunning)).metadata.name;
      const log = `${PODS_PATH}/${ticks}/log?container=${CONTAINER}`;
      const followed = call('GET', `${log}&follow=true&timestamps=true`, undefined, { limitMs: 20_000 });
      await eventually(async () => (await call('GET', log)).text.startsWith('tick 1\n'));
      const attached = stream(`${PODS_PATH}/${cat}/attach?container=${CONTAINER}&stdin=true&stdout=true`, {
        input: ['one\n'],
        onOutput: (text) => text === 'one\n' && cluster.killKubelet(),
      });
      t.match(await followed, { status: 200, end: 'clean', text: /^\S+ tick 1\n/ });
      t.match(await attached, {
        code: 1006,
        frames: [
          [1, ''],
          [1, 'one\n'],
        ],
      });
      t.match(await call('GET', `${log}&tailLines=1`), {
        status: 500,
        body: {
          message: `Get "https://10.250.0.1:10250/containerLogs/rstudio/${ticks}/${CONTAINER}?stream=All&tailLines=1": dial tcp 10.250.0.1:10250: connect: connection refused`,
        },
      });
      cluster.startKubelet();
      t.match(await call('GET', log), {
        status: 404,
        body: {
          reason: 'NotFound',
          message: `the server could not find the requested resource ( pods/log ${ticks})`,
          details: { name: ticks, kind: 'pods/log' },
        },
      });
      t.match(await untilPod(cluster, 'cat', hasEnded), {
        status: { phase: 'Succeeded', containerStatuses: [{ state: { terminated: { exitCode: 0 } } }] },
      });
      // The stamps of the API are cut to whole seconds: lines of the last second come again (kubernetes-facts.md 89).
      const lines = (await followed).text.trim().split('\n');
      const [stamp = ''] = lines.at(-1)?.split(' ') ?? [];
      const again = await call('GET', `${log}&timestamps=true&sinceTime=${encodeURIComponent(stamp)}`);
      t.ok(again.text.startsWith(`${lines.find((line) => line >= stamp.slice(0, 19))}\n`));
      t.match(again.text, `${lines.at(-1)}\n`);
    }),
);

t.test(
  'a node that is not heard of: conditions, taints, events, eviction, and its return (kubernetes-facts.md 122 to 124)',
  (t) =>
    withCluster({ speed: 200, timeScale: 20 }, async (cluster, { call }) => {
      const tolerations = [
        { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 10 },
      ];
      await call('POST', JOBS_PATH, jobBody('stays', ['/bin/sleep', '300']));
      await call('POST', JOBS_PATH, jobBody('goes', ['/bin/sleep', '300'], { tolerations }));
      await untilPod(cluster, 'stays', isRunning);
      const goes = await untilPod(cluster, 'goes', isRunning);
      cluster.killKubelet();
      const lost = await until(cluster, NODES, ({ spec }) => spec.taints?.length === 2);
      t.match(
        lost.status.conditions?.map(({ type, status, reason, message }) => ({ type, status, reason, message })),
        ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
          type,
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'Kubelet stopped posting node status.',
        })),
      );
      t.match(
        lost.spec.taints?.map(({ key, effect }) => `${key}:${effect}`),
        ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'],
      );
      const stays = await untilPod(
        cluster,
        'stays',
        ({ status }) =>
          status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'False') ?? false,
      );
      t.equal(stays.status.phase, 'Running', 'nobody knows better');
      const evicted = await untilPod(cluster, 'goes', (pod) => pod.metadata.deletionTimestamp !== undefined);
      t.match(evicted.status.conditions?.at(-1), {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
      });
      const job = await until(cluster, JOBS, ({ metadata, status }) => metadata.name === 'goes' && status.failed === 1);
      t.match(job.status, { terminating: 1, conditions: [{ type: 'FailureTarget' }] });
      t.equal(isFinishedJob(job), false, 'its pod is still there');
      cluster.startKubelet();
      await until(cluster, JOBS, (one) => one.metadata.name === 'goes' && isFinishedJob(one));
      // A pod that has failed counts for its Job before it is deleted.
      if (cluster.store.get(PODS, 'rstudio', goes.metadata.name) !== undefined)
        await until(cluster, PODS, ({ metadata }, type) => type === 'DELETED' && metadata.uid === goes.metadata.uid);
      await until(
        cluster,
        EVENTS,
        ({ message }) => message === `Cancelling deletion of Pod rstudio/${stays.metadata.name}`,
      );
      const reasons = (pod: string): string[] =>
        cluster.store
          .list(EVENTS)
          .filter(({ involvedObject, type }) => involvedObject.name === pod && type !== undefined)
          .map(({ reason }) => reason)
          .filter((reason) => /Node|Taint/.test(reason));
      t.strictSame(reasons(stays.metadata.name), ['NodeNotReady', 'TaintManagerEviction']);
      t.strictSame(reasons(goes.metadata.name), ['NodeNotReady', 'TaintManagerEviction']);
      const back = await until(cluster, NODES, ({ spec }) => spec.taints === undefined);
      t.match(back.status.conditions?.at(-1), { type: 'Ready', status: 'True', reason: 'KubeletReady' });
    }),
);

t.test('a node scaled away after the end of a job: the pod goes, its Job keeps what it said', (t) =>
  withCluster({ speed: 100, nodes: 2 }, async (cluster, { call }) => {
    await call('POST', JOBS_PATH, jobBody('done', ['/bin/true']));
    const job = await until(cluster, JOBS, (one) => one.metadata.name === 'done' && isFinishedJob(one));
    const pod = await untilPod(cluster, 'done', hasEnded);
    const gone = new Promise<string | undefined>((resolve) => {
      cluster.store.listen(PODS, ({ type, object }) => {
        if (type === 'DELETED') resolve((object as typeof pod).status.phase);
      });
    });
    await cluster.removeNode(pod.spec.nodeName ?? '');
    t.equal(await gone, 'Succeeded');
    t.equal((await call('GET', `${PODS_PATH}/${pod.metadata.name}/log`)).status, 404);
    t.match((await call('GET', `${JOBS_PATH}/done`)).body, {
      status: { succeeded: 1, conditions: job.status.conditions },
    });
  }),
);
