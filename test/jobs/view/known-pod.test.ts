/** What is read of a known pod straight from an event is what projectPod makes of it, or nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { projectKnownPod } from '../../../src/jobs/view/known-pod.ts';
import { type PodView, projectPod } from '../../../src/jobs/view/projection.ts';
import { BodyReader } from '../../../src/kubernetes/watch/protobuf/bodies.ts';
import { ProtobufWriter, readSchema } from '../../cluster/protobuf.ts';
import { anyObject } from '../../kubernetes/watch/protobuf/objects.ts';

type JsonObject = { readonly [field: string]: unknown };

const writer = new ProtobufWriter(readSchema());
const reader = new BodyReader();
const recorded = readFileSync(join(import.meta.dirname, '../../../fixtures/protobuf/watch-pods.json'), 'utf8');
/** `object` in an event, without the length of its frame. */
const eventOf = (object: JsonObject, type = 'MODIFIED'): Buffer => writer.frame({ type, object }).subarray(4);
const objects: readonly JsonObject[] = recorded
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
  .filter(({ type }) => type !== 'BOOKMARK')
  .map(({ object }) => object);
const frames = objects.map((object) => eventOf(object));

const twin = (frame: Buffer): PodView => projectPod(reader.event(frame).object as never);
const podOf = (fields: JsonObject): JsonObject => ({
  ...fields,
  metadata: { ...(fields['metadata'] as JsonObject | undefined), uid: 'u', resourceVersion: '7' },
  kind: 'Pod',
  apiVersion: 'v1',
});

t.test('given the recorded versions of a pod, each that follows another is read as projectPod reads it', async (t) => {
  t.equal(frames.length, 9);
  for (const [index, frame] of frames.slice(1).entries()) {
    const before = twin(frames[index] as Buffer);
    const view = projectKnownPod(frame, (uid) => (uid === before.uid ? before : undefined));
    t.strictSame(view, twin(frame));
    t.equal(JSON.stringify(view), JSON.stringify(twin(frame)));
  }
});

t.test('given a pod that runs as before, its container and addresses are those of the version before', async (t) => {
  const running = frames.find((frame) => twin(frame).container.running !== undefined) ?? Buffer.alloc(0);
  const before = twin(running);
  const view = projectKnownPod(running, () => before);
  t.equal(view?.container, before.container);
  t.equal(view?.podIps, before.podIps);
});

t.test('given an event of an unknown pod, a bookmark, a deletion, or another kind, nothing is read', async (t) => {
  const [frame] = frames.slice(1);
  const known = (): PodView => twin(frames[0] as Buffer);
  t.equal(
    projectKnownPod(frame as Buffer, () => undefined),
    undefined,
  );
  const pod = reader.event(frame as Buffer).object as JsonObject;
  t.ok(projectKnownPod(eventOf(pod), known));
  for (const type of ['ADDED', 'DELETED', 'BOOKMARK', 'ERROR']) {
    t.equal(projectKnownPod(eventOf(pod, type), known), undefined, type);
  }
  t.equal(projectKnownPod(eventOf({ ...pod, kind: 'Job' }), known), undefined);
});

const text = fc.constantFrom('', 'a', 'b', 'é', 'Running', 'x'.repeat(40), '😀'.repeat(9), 'Ã©');
const time = fc.constantFrom(
  '1970-01-01T00:00:00Z',
  '1970-01-01T00:00:01Z',
  '2026-11-23T18:40:12Z',
  '2044-02-29T23:59:59Z',
  '9999-12-31T23:59:59Z',
);
const some = <T extends Record<string, fc.Arbitrary<unknown>>>(fields: T, ...requiredKeys: (keyof T & string)[]) =>
  fc.record(fields, { requiredKeys }) as fc.Arbitrary<JsonObject>;
const few = (item: fc.Arbitrary<unknown>, minLength = 0) => fc.array(item, { minLength, maxLength: 3 });
const name = fc.constantFrom('rs-launcher-container', 'a', 'b');
const limits = fc.dictionary(fc.constantFrom('memory', 'cpu'), text);
const container = some({ name, image: text, resources: some({ limits }), command: few(text) }, 'name');
const terminated = { exitCode: fc.nat(255), reason: text, message: text, startedAt: time, finishedAt: time };
const state = some({
  waiting: some({ reason: text, message: text }),
  running: some({ startedAt: time }),
  terminated: some(terminated, 'exitCode'),
});
const status = some({ name, state, restartCount: fc.nat(3) }, 'name');
const condition = some(
  {
    type: fc.constantFrom('Ready', 'PodScheduled', 'DisruptionTarget', 'Initialized'),
    status: fc.constantFrom('True', 'False', 'Unknown'),
    reason: text,
    message: text,
    lastTransitionTime: time,
  },
  'type',
  'status',
);
const kind = fc.constantFrom('Job', 'ReplicaSet');
const owner = some({ kind, name, uid: text, controller: fc.boolean() }, 'kind', 'uid');
/** Any of what the projection of a pod reads. */
const anyPod = some(
  {
    metadata: some({
      name: text,
      creationTimestamp: time,
      deletionTimestamp: time,
      deletionGracePeriodSeconds: fc.nat(300),
      ownerReferences: few(owner),
      labels: fc.dictionary(text, text),
    }),
    spec: some(
      {
        containers: few(container, 1),
        initContainers: few(container),
        nodeName: text,
        activeDeadlineSeconds: fc.nat(2 ** 27),
        hostPID: fc.boolean(),
        shareProcessNamespace: fc.boolean(),
      },
      'containers',
    ),
    status: some({
      phase: text,
      reason: text,
      message: text,
      hostIP: text,
      startTime: time,
      conditions: few(condition),
      containerStatuses: few(status),
      initContainerStatuses: few(status),
      podIPs: few(some({ ip: text })),
    }),
  },
  'spec',
).map((fields) => JSON.parse(JSON.stringify(podOf(fields))));

t.test('given a malformed field that decides nothing, the event is left to projectPod, which refuses it', async (t) => {
  const name = 'another-container';
  const state = { terminated: { exitCode: 0, startedAt: '2026-01-01T00:00:00Z' } };
  const pod = podOf({
    metadata: { labels: { key: 'a-label' } },
    spec: { containers: [{ name: 'rs-launcher-container' }] },
    status: { containerStatuses: [{ name, state }] },
  });
  const frame = eventOf(pod);
  const before = twin(frame);
  t.not(
    projectKnownPod(frame, () => before),
    undefined,
  );
  // The tag of a label is 90: field 11 of the metadata. A Time starts with 8.
  const label = frame.indexOf('a-label') - 2 - 'key'.length - 4;
  const time = frame.indexOf(Buffer.from([42, 8, 8]), frame.indexOf(name)) + 2;
  t.equal(frame[label], 90);
  t.equal(frame[time], 8);
  for (const [at, byte] of [
    [label, 88],
    [label, 93],
    [time, 9],
    [time, 13],
    [time, 15],
    [time + 5, 255],
  ] as const) {
    const damaged = Buffer.from(frame);
    damaged[at] = byte;
    t.equal(
      projectKnownPod(damaged, () => before),
      undefined,
      `byte ${at} is ${byte}`,
    );
  }
  const damaged = Buffer.from(frame);
  damaged[label] = 93;
  t.throws(() => twin(damaged), { code: 'protobuf-wire-type' });
});

t.test('given any two versions of a pod, the second is read as projectPod reads it', async () => {
  fc.assert(
    fc.property(anyPod, anyPod, (first, second) => {
      const before = twin(eventOf(first));
      const frame = eventOf(second);
      assert.deepStrictEqual(
        projectKnownPod(frame, () => before),
        twin(frame),
      );
    }),
    { numRuns: 500 },
  );
});

t.test('given any fields of a pod, it is read as projectPod reads it, or not at all', async () => {
  fc.assert(
    fc.property(anyObject('Pod'), anyPod, (fields, other) => {
      const before = twin(eventOf(other));
      const frame = eventOf(JSON.parse(JSON.stringify(podOf(fields))));
      const view = projectKnownPod(frame, () => before);
      if (view !== undefined) assert.deepStrictEqual(view, twin(frame));
    }),
    { numRuns: 50 },
  );
});

t.test(
  'given recorded pods with any changed bytes outside their labels, what is read is what projectPod reads, and errors stay errors',
  async (t) => {
    let read = 0;
    const bare = objects.map((object) => {
      const { labels: _, ...metadata } = object['metadata'] as JsonObject;
      return eventOf({ ...object, metadata });
    });
    const byte = fc.record({ at: fc.nat(), value: fc.nat(255) });
    fc.assert(
      fc.property(
        fc.nat(frames.length - 2),
        fc.array(byte, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        (index, bytes, cut) => {
          const frame = Buffer.from(bare[index + 1] as Buffer);
          for (const { at, value } of bytes) frame[at % frame.length] = value;
          const damaged = cut % 4 === 0 ? frame.subarray(0, cut % frame.length) : frame;
          const before = twin(frames[index] as Buffer);
          const view = projectKnownPod(damaged, () => before);
          if (view === undefined) return;
          read++;
          // The uid decides which pod is known.
          assert.deepStrictEqual(view, { ...twin(damaged), uid: before.uid });
        },
      ),
      { numRuns: 3_000 },
    );
    t.ok(read > 300, `${read} events were read`);
  },
);
