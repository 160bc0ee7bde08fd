/** What is read of protobuf is what JSON has in the same places; what is no object of ours is an error. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { projectJob, projectPod, projectService } from '../../../../src/jobs/view/projection.ts';
import { BodyReader, FrameSplitter } from '../../../../src/kubernetes/watch/protobuf/bodies.ts';
import { OBJECTS } from '../../../../src/kubernetes/watch/protobuf/field-table.ts';
import { type Message, ProtobufError } from '../../../../src/kubernetes/watch/protobuf/reader.ts';
import { ProtobufWriter, readSchema } from '../../../cluster/protobuf.ts';
import { collectAllGarbage } from '../../../support/garbage.ts';
import { anyObject } from './objects.ts';

const recorded = join(import.meta.dirname, '../../../../fixtures/protobuf');
const bytesOf = (name: string): Buffer => readFileSync(join(recorded, `${name}.pb`));
const jsonOf = (name: string): JsonObject => JSON.parse(readFileSync(join(recorded, `${name}.json`), 'utf8'));
const linesOf = (name: string): readonly JsonObject[] =>
  readFileSync(join(recorded, `${name}.json`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

type JsonObject = { readonly [member: string]: unknown };
const schema = readSchema();
const writer = new ProtobufWriter(schema);
const PROJECT: Readonly<Record<string, (object: never) => unknown>> = {
  Job: projectJob,
  Pod: projectPod,
  Service: projectService,
};
const project = (object: JsonObject): unknown => PROJECT[String(object['kind'])]?.(object as never);

/** What is left of an object as JSON when only the fields of a table are kept; null, [] and maps of nothing are none. */
function restricted(json: JsonObject, { fields }: Message): JsonObject {
  const kept: Record<string, unknown> = {};
  for (const field of fields) {
    if (field === undefined) continue;
    if (field.kind === 'inline') Object.assign(kept, restricted(json, field.message));
    const value = json[field.name];
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue;
    if (field.kind === 'map') {
      const { onlyKey } = field.message;
      const entries = Object.entries(value).filter(([key]) => onlyKey === undefined || key === String(onlyKey));
      if (entries.length > 0) kept[field.name] = Object.fromEntries(entries);
      continue;
    }
    if (!field.zero && !field.repeated && (value === '' || value === 0 || value === false)) {
      if (field.kind === 'text' || field.kind === 'number' || field.kind === 'flag') continue;
    }
    if (field.kind !== 'message') kept[field.name] = value;
    else if (!field.repeated) kept[field.name] = restricted(value as JsonObject, field.message);
    else kept[field.name] = (value as JsonObject[]).map((each) => restricted(each, field.message));
  }
  return kept;
}

function readable(json: JsonObject): JsonObject {
  const { kind, apiVersion } = json;
  const message = OBJECTS[String(kind)];
  if (message === undefined) throw new Error(`no table for ${String(kind)}`);
  return { kind, apiVersion, ...restricted(json, message) };
}

t.test('given recorded bodies, they read as their JSON does', async (t) => {
  for (const name of ['job', 'job-list', 'pod-list', 'pod-list-page1', 'service', 'status-404']) {
    t.strictSame(new BodyReader().body(bytesOf(name)), readable(jsonOf(name)), name);
  }
});

t.test('given a body that was read, its bytes are released', async (t) => {
  const reader = new BodyReader();
  const read = (): WeakRef<ArrayBufferLike> => {
    const bytes = Uint8Array.from(bytesOf('pod-list'));
    reader.body(bytes);
    return new WeakRef(bytes.buffer);
  };
  const bytes = read();
  await collectAllGarbage();
  t.equal(bytes.deref(), undefined);
});

t.test('given a recorded pod, what is read of it is literally this', async (t) => {
  const { items } = new BodyReader().body(bytesOf('pod-list')) as { items: JsonObject[] };
  t.strictSame(items, [
    {
      metadata: {
        name: 'protobuf-sample-wh7z4',
        uid: '24809285-3354-4ee1-b59f-16c5f16b0968',
        resourceVersion: '18537',
        creationTimestamp: '2026-11-23T18:40:12Z',
        labels: { 'app.kubernetes.io/managed-by': 'launcher' },
        ownerReferences: [{ kind: 'Job', uid: '4e481d85-5333-4c0e-9bea-8343d9a5958b', controller: true }],
      },
      spec: {
        containers: [
          {
            name: 'rs-launcher-container',
            image: 'busybox',
            resources: { limits: { cpu: '500m', memory: '64M' } },
          },
        ],
        nodeName: 'node0',
        shareProcessNamespace: true,
      },
      status: {
        phase: 'Failed',
        conditions: [
          { type: 'PodReadyToStartContainers', status: 'False', lastTransitionTime: '2026-11-23T18:40:16Z' },
          { type: 'Initialized', status: 'True', lastTransitionTime: '2026-11-23T18:40:12Z' },
          { type: 'Ready', status: 'False', lastTransitionTime: '2026-11-23T18:40:15Z', reason: 'PodFailed' },
          { type: 'ContainersReady', status: 'False', lastTransitionTime: '2026-11-23T18:40:15Z', reason: 'PodFailed' },
          { type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-11-23T18:40:12Z' },
        ],
        hostIP: '10.250.0.1',
        startTime: '2026-11-23T18:40:12Z',
        containerStatuses: [
          {
            name: 'rs-launcher-container',
            state: {
              terminated: {
                exitCode: 7,
                reason: 'Error',
                startedAt: '2026-11-23T18:40:12Z',
                finishedAt: '2026-11-23T18:40:14Z',
              },
            },
          },
        ],
        podIPs: [{ ip: '10.244.2.210' }],
      },
    },
  ]);
});

t.test('given recorded watches in chunks of any size, every event reads as its line does', async (t) => {
  for (const name of ['watch-pods', 'watch-jobs']) {
    const lines = linesOf(name).map(({ type, object }) => ({ type, object: readable(object as JsonObject) }));
    for (const size of [1, 7, 1000, 1_000_000]) {
      const reader = new BodyReader();
      const splitter = new FrameSplitter(1_000_000);
      const bytes = bytesOf(name);
      const events: unknown[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        for (const frame of splitter.push(bytes.subarray(at, at + size))) events.push(reader.event(frame));
      }
      t.strictSame(events, lines, `${name} in pieces of ${size} bytes`);
    }
  }
});

t.test('given recorded objects, both encodings have the same projection', async (t) => {
  const reader = new BodyReader();
  const objects = [jsonOf('job'), jsonOf('service'), ...['watch-pods', 'watch-jobs'].flatMap(linesOf)]
    .map((entry) => (entry['object'] ?? entry) as JsonObject)
    .filter(({ metadata }) => (metadata as JsonObject)['name'] !== undefined);
  t.equal(objects.length, 17);
  for (const object of objects) t.strictSame(project(reader.body(writer.body(object))), project(object));
  t.strictSame(project(reader.body(bytesOf('job'))), project(jsonOf('job')));
  t.strictSame(project(reader.body(bytesOf('service'))), project(jsonOf('service')));
});

t.test('given any object, what is read of its bytes is what JSON has in the same places', async () => {
  const reader = new BodyReader();
  for (const [kind, runs] of Object.entries({ Job: 150, Pod: 150, Service: 150, PodList: 20, Status: 100 })) {
    fc.assert(
      fc.property(anyObject(kind), (fields) => {
        const object = JSON.parse(JSON.stringify({ ...fields, kind, apiVersion: 'v1' }));
        assert.deepStrictEqual(reader.body(writer.body(object)), readable(object));
      }),
      { numRuns: runs },
    );
  }
});

t.test('given conditions that come again and others of the same length, none is taken for another', async (t) => {
  const reader = new BodyReader();
  const SECONDS = '2026-11-23T18:40:1';
  const conditions = [
    { type: 'Ready', status: 'True', lastTransitionTime: `${SECONDS}2Z` },
    { type: 'Ready', status: 'True', lastTransitionTime: `${SECONDS}3Z` },
    { type: 'Ready', status: 'Trua', lastTransitionTime: `${SECONDS}2Z` },
    { type: 'Ready', status: 'False', lastTransitionTime: `${SECONDS}2Z`, message: 'x'.repeat(200) },
    { type: 'Ready', status: 'False', lastTransitionTime: `${SECONDS}2Z`, message: `${'x'.repeat(199)}y` },
  ];
  for (const condition of [...conditions, ...conditions]) {
    const pod = { kind: 'Pod', apiVersion: 'v1', status: { conditions: [condition] } };
    t.strictSame(reader.body(writer.body(pod)), pod);
  }
});

t.test('given a volume of a kind that is not read, its number is reported, and all else is read', async (t) => {
  const job = {
    kind: 'Job',
    apiVersion: 'batch/v1',
    metadata: { name: 'a' },
    spec: { template: { spec: { volumes: [{ name: 'v', iscsi: {} }] } } },
  };
  t.strictSame(new BodyReader().body(writer.body(job)), {
    ...job,
    spec: { template: { spec: { volumes: [{ name: 'v', field8: {} }] } } },
  });
});

t.test('given a body that is no object of ours, the error says why', async (t) => {
  const pod = { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a' } };
  const read = (bytes: Uint8Array) => () => new BodyReader().body(bytes);
  t.throws(read(Buffer.from(JSON.stringify(pod))), { code: 'protobuf-envelope' });
  t.throws(read(Buffer.from('k8')), { code: 'protobuf-envelope' });
  t.throws(read(writer.body({ kind: 'Node', apiVersion: 'v1' })), { code: 'protobuf-unknown' });
  t.throws(read(writer.body({ kind: 'constructor', apiVersion: 'v1' })), { code: 'protobuf-unknown' });
  const gzip = writer.message('Unknown', { typeMeta: { kind: 'Pod' }, raw: Buffer.alloc(0), contentEncoding: 'gzip' });
  t.throws(read(Buffer.concat([Buffer.from('k8s\0'), gzip])), { code: 'protobuf-envelope' });
  t.strictSame(new BodyReader().event(writer.message('WatchEvent', { type: 'BOOKMARK' })), {
    type: 'BOOKMARK',
    object: undefined,
  });
});

t.test('given a frame that is too long for a watch, it is refused before it is there', async (t) => {
  t.throws(() => [...new FrameSplitter(1_000_000).push(Buffer.from([0x7f, 0xff, 0xff, 0xff]))], {
    code: 'protobuf-length',
  });
});

t.test('given bytes of any kind, reading ends with an object or with a ProtobufError', async () => {
  const reader = new BodyReader();
  const whole = bytesOf('job');
  const broken = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(whole.length));
  fc.assert(
    fc.property(broken, ([at, byte, length]) => {
      const bytes = Buffer.from(whole);
      bytes[at] = byte;
      try {
        reader.body(bytes.subarray(0, length));
      } catch (error) {
        if (!(error instanceof ProtobufError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
