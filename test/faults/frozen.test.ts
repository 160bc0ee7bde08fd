/**
 * When a server freezes in the middle of a stream of any kind (connections stay open, nothing comes), it is well again
 * within its deadline; the deadlines are those of timings.ts, shortened.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { createClient } from '../../src/kubernetes/client.ts';
import { JOBS, type KubernetesObject, PODS, type Resource } from '../../src/kubernetes/contract.ts';
import { isTransient } from '../../src/kubernetes/kubernetes-error.ts';
import { systemClock } from '../../src/system/clock.ts';
import { silentLog } from '../../src/system/log.ts';
import { systemRandom } from '../../src/system/random.ts';
import { startCluster } from '../cluster/cluster.ts';
import { CONTAINER, createCaller, hasEnded, isRunning, JOBS_PATH, jobBody, untilPod } from '../cluster/testing.ts';
import { startProxy } from './proxy.ts';

const WATCH_S = 1;
const TIMINGS = { watchGrace: 300, followSilence: 1_000, followAfterEnd: 500, backoffFirst: 50, backoffLongest: 200 };
const WATCH_MS = WATCH_S * 1000 + TIMINGS.watchGrace;
const CALL_MS = 1_500;
/** For a machine that is busy. */
const SLACK_MS = 3_000;

const cluster = await startCluster({ speed: 50 });
const { call, close } = createCaller(cluster);
const proxy = await startProxy(Number(new URL(cluster.url).port));
const client = createClient(
  {
    apiUrl: proxy.url,
    credentials: { kind: 'token', token: cluster.token },
    tls: { ca: cluster.ca, verify: true },
    namespace: cluster.namespace,
    fetchLimit: 500,
    watchTimeoutSeconds: WATCH_S,
    requestTimeoutMs: CALL_MS,
    timings: TIMINGS,
  },
  { clock: systemClock, random: systemRandom, log: silentLog },
);
const life = new AbortController();
t.teardown(async () => {
  life.abort(new Error('the test is over'));
  await client.close();
  await close();
  await proxy.close();
  await cluster.close();
});

const shell = (script: string): readonly string[] => ['/bin/sh', '-c', script];

async function runningPod(name: string, script: string, container: object = {}): Promise<string> {
  await call('POST', JOBS_PATH, jobBody(name, shell(script), {}, container));
  return (await untilPod(cluster, name, isRunning)).metadata.name;
}

/** A reflector, and a wait for an object by its name. */
function reflected<T extends KubernetesObject>(resource: Resource<T>, signal: AbortSignal) {
  const names = new Set<string>();
  const waiting = new Set<() => void>();
  const reflector = client.reflector<T, { uid: string; resourceVersion: string; name: string }>({
    resource,
    selection: {},
    project: ({ metadata }) => ({
      uid: metadata?.uid ?? '',
      resourceVersion: metadata?.resourceVersion ?? '',
      name: metadata?.name ?? '',
    }),
    onEvent: (event) => {
      if (event.type !== 'ADDED') return;
      names.add(event.object.name);
      for (const check of waiting) check();
    },
  });
  void reflector.run(signal);
  const has = (start: string): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if ([...names].some((name) => name.startsWith(start))) resolve();
      };
      waiting.add(check);
      check();
    });
  return { reflector, has };
}

async function milliseconds(work: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work;
  return performance.now() - begin;
}

function followed(pod: string, ended: AbortSignal = life.signal) {
  let text = '';
  const waiting = new Set<() => void>();
  const read = async (): Promise<string> => {
    for await (const bytes of client.followLog({ pod, container: CONTAINER, ended }, life.signal)) {
      text += Buffer.from(bytes).toString();
      for (const check of waiting) check();
    }
    return text;
  };
  const all = read();
  all.catch(() => undefined);
  const has = (wanted: string): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (text.includes(wanted)) resolve();
      };
      waiting.add(check);
      check();
    });
  return { all, has, text: () => text };
}

t.test('watches of jobs and of pods', async (t) => {
  const watching = new AbortController();
  const jobs = reflected<Job>(JOBS, watching.signal);
  const pods = reflected<Pod>(PODS, watching.signal);
  await Promise.all([jobs.reflector.synced(life.signal), pods.reflector.synced(life.signal)]);
  await call('POST', JOBS_PATH, jobBody('before', ['true']));
  await Promise.all([jobs.has('before'), pods.has('before-')]);
  const earlier = proxy.frozen();
  proxy.freeze();
  t.ok(proxy.frozen() >= earlier + 2);
  await call('POST', JOBS_PATH, jobBody('after', ['true']));
  const took = await milliseconds(Promise.all([jobs.has('after'), pods.has('after-')]));
  watching.abort(new Error('seen'));
  t.ok(took < WATCH_MS + SLACK_MS, `${Math.round(took)} ms`);
});

t.test('a list, in the middle of its body', async (t) => {
  for (let index = 0; index < 40; index++) await call('POST', JOBS_PATH, jobBody(`listed-${index}`, ['true']));
  // Connections that were kept are of no use either: first the list meets one of those, then a new one freezes.
  proxy.freeze();
  const earlier = proxy.frozen();
  proxy.freezeNextAfter(20_000);
  const listing = new AbortController();
  const { reflector } = reflected<Job>(JOBS, listing.signal);
  const took = await milliseconds(reflector.synced(life.signal));
  listing.abort(new Error('seen'));
  t.equal(proxy.frozen(), earlier + 1);
  t.ok([...reflector.objects()].length >= 42);
  t.ok(took < 2 * CALL_MS + SLACK_MS, `${Math.round(took)} ms`);
});

t.test('a log that is followed', async (t) => {
  const pod = await runningPod('talking', 'i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 0.1; done');
  const ended = new AbortController();
  const log = followed(pod, ended.signal);
  await log.has('line 3\n');
  proxy.freeze();
  const seen = log.text();
  await sleep(300);
  t.equal(log.text(), seen, 'nothing comes');
  const took = await milliseconds(log.has('line 12\n'));
  t.ok(took < TIMINGS.followSilence + SLACK_MS, `${Math.round(took)} ms`);
  await untilPod(cluster, 'talking', hasEnded);
  ended.abort();
  t.equal(await log.all, Array.from({ length: 30 }, (_, i) => `line ${i}\n`).join(''));
});

t.test('a quiet log that is followed', async (t) => {
  const pod = await runningPod('quiet', 'echo first; sleep 2; echo second; sleep 60');
  const log = followed(pod);
  await log.has('first\n');
  proxy.freeze();
  const took = await milliseconds(log.has('second\n'));
  t.ok(took < 2_000 + TIMINGS.followSilence + SLACK_MS, `${Math.round(took)} ms`);
  t.equal(log.text(), 'first\nsecond\n');
});

t.test('a log that is followed while its container ends', async (t) => {
  const pod = await runningPod('ending', 'echo first; sleep 0.5; echo last');
  const ended = new AbortController();
  const log = followed(pod, ended.signal);
  await log.has('first\n');
  proxy.freeze();
  await untilPod(cluster, 'ending', hasEnded);
  ended.abort();
  const took = await milliseconds(log.all);
  t.equal(await log.all, 'first\nlast\n');
  t.ok(took < TIMINGS.followAfterEnd + SLACK_MS, `${Math.round(took)} ms`);
});

t.test('exec', async (t) => {
  const pod = await runningPod('exec', 'sleep 60');
  const running = client.exec(pod, CONTAINER, shell('echo begun >&2; sleep 30'), { timeoutMs: CALL_MS });
  const failed = running.then(
    () => undefined,
    (error: unknown) => error,
  );
  while (!cluster.journal.requests.some(({ path, status }) => path.includes('/exec?') && status === 101))
    await sleep(20);
  proxy.freeze();
  const took = await milliseconds(failed);
  t.ok(isTransient(await failed), 'it may be tried again');
  t.match(await failed, { code: 'timeout' });
  t.ok(took < CALL_MS + SLACK_MS, `${Math.round(took)} ms`);
  t.match(await client.exec(pod, CONTAINER, shell('echo well')), { output: 'well\n', exitCode: 0 });
});

t.test('attach, in the middle of the input', async (t) => {
  const pod = await runningPod('attach', 'sleep 60', { stdin: true, stdinOnce: true });
  const input = Buffer.alloc(24 * 1024 * 1024, 'x');
  const failed = client.attachInput(pod, CONTAINER, input, { timeoutMs: CALL_MS }).then(
    () => undefined,
    (error: unknown) => error,
  );
  while (!cluster.journal.requests.some(({ path, status }) => path.includes('/attach?') && status === 101))
    await sleep(20);
  proxy.freeze();
  const took = await milliseconds(failed);
  t.match(await failed, { code: 'timeout' });
  t.ok(took < CALL_MS + SLACK_MS, `${Math.round(took)} ms`);
});
