/** Messages of every type and shape, and what a hostile or broken launcher might make of them. */
import fc from 'fast-check';

export type JsonObject = { [name: string]: unknown };

const USER = { username: 'alice', requestUsername: 'alice' };
const JOB = { ...USER, jobId: 'job-1', encodedJobId: 'am9iLTE=' };

/** One valid message of each type and shape, every field of the protocol in it. */
const VALID: readonly JsonObject[] = [
  { messageType: 0 },
  { messageType: 1, version: { major: 3, minor: 10, patch: 0, build: 'x' } },
  {
    messageType: 2,
    ...USER,
    job: {
      args: ['-c', 'x'],
      cluster: 'Kube',
      command: 'echo',
      config: [{ name: 'secret', valueType: 'string', value: 'a:b:C' }],
      container: {
        image: 'r:4.4',
        runAsUserId: 1001,
        runAsGroupId: 1001,
        supplementalGroupIds: [27],
        capabilitiesAdd: ['X'],
      },
      environment: [{ name: 'A', value: '1' }],
      exe: '',
      exposedPorts: [{ targetPort: 8787, publishedPort: 31000, protocol: 'TCP' }],
      exitCode: 0,
      group: 'staff',
      host: 'node-3',
      id: 'x',
      initContainers: [{ name: 'i', image: 'b', command: 'echo', args: ['1'], mounts: [], environment: [] }],
      instanceId: 'lb',
      metadata: { pod: { labels: { a: 'b' } } },
      mounts: [
        { mountPath: '/data', readOnly: true, type: 'nfs', source: { host: 'nfs1', path: '/exp' } },
        { mountPath: '/m', name: 'v', mountSource: { type: 'cephFs', source: { monitors: ['m1'] } } },
      ],
      name: 'My job',
      pid: 77,
      placementConstraints: [{ name: 'zone', value: 'b' }],
      queues: ['q1'],
      resourceLimits: [{ type: 'memory', value: '512' }],
      resourceProfile: 'small',
      stdin: 'input',
      status: 'Pending',
      submissionTime: '2026-01-02T03:00:00Z',
      systemJob: false,
      tags: ['t1'],
      user: 'alice',
      workingDirectory: '/home/u',
    },
  },
  {
    messageType: 3,
    ...JOB,
    jobId: '*',
    tags: ['x'],
    startTime: '2026-01-02',
    endTime: '2027-01-02T00:00:00Z',
    statuses: ['Running'],
    fields: ['id'],
  },
  { messageType: 3, ...JOB, fields: ['status', 'env'] },
  { messageType: 4, ...JOB, cancel: false },
  { messageType: 4, ...JOB, jobId: '*' },
  { messageType: 4, ...JOB, cancel: true },
  { messageType: 5, ...JOB, operation: 3 },
  { messageType: 6, ...JOB, cancel: false, outputType: 2 },
  { messageType: 6, ...JOB, cancel: true },
  { messageType: 7, ...JOB, cancel: false },
  { messageType: 8, ...JOB },
  { messageType: 9, ...USER },
  {
    messageType: 201,
    nodes: [{ host: 'a', ipv4: '10.0.0.1', port: '5559', lastSeen: '2026-01-02T03:04:05Z', status: 'Online' }],
  },
  {
    messageType: 202,
    generation: 4,
    inheritedSettings: { serverUser: 'a', jobExpiryHours: 0.5, heartbeatIntervalSeconds: 5 },
  },
];

/** Values that break things, as JSON text: some cannot be had from JSON.stringify. */
const ODD_VALUES: readonly string[] = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e400',
  '-1e400',
  '1e-400',
  '9007199254740993',
  '18446744073709551615',
  '18446744073709551616',
  '4294967296',
  '99999999999999999999999999999999',
  '""',
  '" "',
  '"*"',
  '" * "',
  '"alice"',
  '"bob"',
  '"job-1"',
  '"../secrets/x"',
  '"%2e%2e/x"',
  '"\\u0000"',
  '"a\\u0000b"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u202e"',
  '"__proto__"',
  '"constructor"',
  '"toString"',
  '[]',
  '[null]',
  '[[]]',
  '[1,"a",{}]',
  '{}',
  '{"__proto__":{"x":1}}',
  '{"constructor":{"prototype":1}}',
  '{"toString":1,"valueOf":2}',
  '{"length":4294967295}',
  `"${'x'.repeat(10_000)}"`,
  `${'['.repeat(70)}${']'.repeat(70)}`,
  `${'{"a":'.repeat(70)}1${'}'.repeat(70)}`,
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  '"Running"',
  '"2026-13-01"',
  '"NaN"',
  '4',
  '10',
  '17',
  '201',
  '203',
];

const MEMBER_NAMES = [
  'messageType',
  'requestId',
  'username',
  'jobId',
  'cancel',
  'operation',
  'job',
  'user',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toJSON',
  '',
];

/** Where in a message, and what to do there. */
interface Edit {
  readonly kind: 'replace' | 'remove' | 'add' | 'duplicate';
  readonly at: number;
  readonly name: string;
  readonly odd: string;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add', 'duplicate'),
  at: fc.nat(),
  name: fc.constantFrom(...MEMBER_NAMES),
  odd: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...ODD_VALUES) },
    { weight: 1, arbitrary: fc.json({ maxDepth: 3 }) },
  ),
});

/** Characters that change the text itself, so that it is mostly no JSON any more. */
const damage = fc.record({
  at: fc.nat(),
  remove: fc.nat({ max: 3 }),
  insert: fc.constantFrom('', '"', '{', '}', ',', '\\', '\0', '\ufeff', 'é'),
});

export const mutant = fc.record({
  base: fc.nat({ max: VALID.length - 1 }),
  edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
  damages: fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(damage, { minLength: 1, maxLength: 2 }) },
  ),
});

/** Placeholder of an unusual value until the text is made. */
const marker = (index: number): string => `@@${index}@@`;

export function makeText(
  requestId: number,
  {
    base,
    edits,
    damages,
  }: { base: number; edits: readonly Edit[]; damages: readonly { at: number; remove: number; insert: string }[] },
): string {
  const message: JsonObject = { requestId, ...structuredClone(VALID[base] ?? {}) };
  for (const [index, { kind, at, name }] of edits.entries()) {
    const places = placesIn(message);
    const place = places[at % places.length];
    if (place === undefined) continue;
    const [holder, key] = place;
    if (kind === 'remove') delete holder[key];
    else if (kind === 'replace') holder[key] = marker(index);
    else
      Object.defineProperty(holder, kind === 'add' ? name : `${key}@@again`, {
        value: marker(index),
        enumerable: true,
        writable: true,
        configurable: true,
      });
  }
  let text = JSON.stringify(message).replaceAll('@@again"', '"');
  for (const [index, { odd }] of edits.entries()) text = text.replaceAll(`"${marker(index)}"`, () => odd);
  for (const { at, remove, insert } of damages) {
    const from = at % text.length;
    text = text.slice(0, from) + insert + text.slice(from + remove);
  }
  return text;
}

/** Every field of every object and element of every list. */
function placesIn(value: object): [JsonObject, string][] {
  return Object.entries(value).flatMap(([key, inner]): [JsonObject, string][] => [
    [value as JsonObject, key],
    ...(typeof inner === 'object' && inner !== null ? placesIn(inner) : []),
  ]);
}
