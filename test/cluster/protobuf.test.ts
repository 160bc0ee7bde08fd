/** Objects tell the same as JSON and as protobuf. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { Agent, request } from 'undici';
import { projectJob, projectPod } from '../../src/jobs/view/projection.ts';
import { BodyReader, FrameSplitter } from '../../src/kubernetes/watch/protobuf/bodies.ts';
import { JOBS } from './api/resources.ts';
import { startCluster } from './cluster.ts';
import { isFinishedJob } from './model.ts';
import { createCaller, JOBS_PATH, jobBody, PODS_PATH, until } from './testing.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const cluster = await startCluster({ speed: 20 });
const { call, close } = createCaller(cluster);
const dispatcher = new Agent({ connect: { ca: cluster.ca }, allowH2: false });
t.teardown(async () => {
  await dispatcher.close();
  await close();
  await cluster.close();
});

async function get(path: string, accept: string): Promise<{ status: number; type: string; bytes: Uint8Array }> {
  const headers = { accept, authorization: `Bearer ${cluster.token}` };
  const { statusCode, headers: answered, body } = await request(cluster.url + path, { dispatcher, headers });
  return { status: statusCode, type: String(answered['content-type']), bytes: await body.bytes() };
}

const reader = new BodyReader();
const PROJECT = {
  [JOBS_PATH]: (object: unknown): unknown => projectJob(object as Job),
  [PODS_PATH]: (object: unknown): unknown => projectPod(object as Pod),
};

t.test('given a job from create to end, lists and watches have the same content in both encodings', async (t) => {
  const { metadata } = (await call('GET', JOBS_PATH)).body as { metadata: { resourceVersion: string } };
  await call('POST', JOBS_PATH, jobBody('twice', ['/bin/sh', '-c', 'exit 3']));
  await until(cluster, JOBS, (one) => one.metadata.name === 'twice' && isFinishedJob(one));
  for (const [path, project] of Object.entries(PROJECT)) {
    const list = await get(path, `${PROTOBUF}, application/json`);
    t.equal(list.type, PROTOBUF);
    const { items } = reader.body(list.bytes) as { items: unknown[] };
    const json = JSON.parse(Buffer.from((await get(path, 'application/json')).bytes).toString());
    t.equal(items.length, 1);
    t.strictSame(items.map(project), json.items.map(project));

    const query = `?watch=true&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`;
    const [frames, lines] = await Promise.all([
      get(path + query, `${PROTOBUF};stream=watch, application/json`),
      get(path + query, 'application/json'),
    ]);
    t.equal(frames.type, `${PROTOBUF};stream=watch`);
    const events = [...new FrameSplitter(1_000_000).push(frames.bytes)].map((frame) => reader.event(frame));
    const same = Buffer.from(lines.bytes).toString().trim().split('\n');
    t.ok(events.length >= 3, `${events.length} events`);
    t.strictSame(
      events.map(({ type, object }) => [type, project(object)]),
      same.map((line) => JSON.parse(line)).map(({ type, object }) => [type, project(object)]),
    );
  }
});

t.test('given a refusal, its Status has the encoding that was asked for', async (t) => {
  const { status, type, bytes } = await get(`${PODS_PATH}/none`, `${PROTOBUF}, application/json`);
  t.equal(status, 404);
  t.equal(type, PROTOBUF);
  t.match(reader.body(bytes), { kind: 'Status', reason: 'NotFound', message: 'pods "none" not found', code: 404 });
});

t.test('given a kind that is written as JSON only, the second choice is taken', async (t) => {
  const { type } = await get('/api/v1/namespaces/rstudio/events', `${PROTOBUF}, application/json`);
  t.equal(type, 'application/json');
});
