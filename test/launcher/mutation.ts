/**
 * Messages of a hostile or broken launcher: valid ones of every type, changed at random, held against what must be true
 * of every conversation. Used with a few thousand messages by `npm test`, with many more by `npm run test:long`.
 */
import fc from 'fast-check';
import { BrokenFrameError } from '../../src/launcher/frames.ts';
import { parseRequest } from '../../src/launcher/requests.ts';
import { aJob, createFakeJobs, type FakeJobs } from './fake-jobs.ts';
import { type Launcher, settle, startLauncher } from './harness.ts';

type JsonObject = { [name: string]: unknown };

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

const mutant = fc.record({
  base: fc.nat({ max: VALID.length - 1 }),
  edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
  damages: fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(damage, { minLength: 1, maxLength: 2 }) },
  ),
});

/** Stands for an odd value until the text is made. */
const marker = (index: number): string => `@@${index}@@`;

function makeText(
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

/** Every member of every object and list. */
function placesIn(value: object): [JsonObject, string][] {
  return Object.entries(value).flatMap(([key, inner]): [JsonObject, string][] => [
    [value as JsonObject, key],
    ...(typeof inner === 'object' && inner !== null ? placesIn(inner) : []),
  ]);
}

/** The id that an answer must carry, as text; undefined where there is nobody to answer. Knows the protocol, not the code. */
function answerableId(text: string, message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return undefined;
  const { messageType, requestId, cancel, jobId } = message as JsonObject;
  if (typeof requestId !== 'number' || !Number.isInteger(requestId) || requestId <= 0) return undefined;
  if ([4, 6, 7].includes(messageType as number) && cancel === true) return undefined;
  if (messageType === 0 || (messageType === 4 && jobId === '*')) return undefined;
  if (Number.isSafeInteger(requestId)) return String(requestId);
  // Digits are looked for in the text; where that leaves a doubt, nothing is expected.
  const written = [...text.matchAll(/"requestId":(\d{16,20})(?!\d)/g)].map(([, digits = '']) => digits);
  const [digits, ...more] = new Set(written.filter((digits) => Number(digits) === requestId));
  return digits !== undefined && more.length === 0 && BigInt(digits) < 2n ** 64n ? digits : undefined;
}

interface Summary {
  readonly messages: number;
  /** Bodies that were no JSON; each would have ended the process with exit code 1. */
  readonly notJson: number;
  /** Messages with nobody to answer to, and cancels. */
  readonly silent: number;
  readonly answered: number;
  /** Of the answers, how many of each errorCode. */
  readonly errors: Readonly<Record<string, number>>;
  readonly heapMegabytes: readonly number[];
}

const BATCH = 50;
const PER_SESSION = 5000;

function scriptedJobs(): FakeJobs {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1', user: 'alice', status: 'Running' });
  jobs.outputOf('job-1').push('text');
  jobs.outputOf('job-1').end();
  jobs.usageOf('job-1').push({ cpuPercent: 1 });
  jobs.usageOf('job-1').end();
  jobs.on.submit = async (request) => aJob({ ...request, id: 'job-2' });
  return jobs;
}

/** Throws with the offending message if anything is not as it must be. `heap` measures after each session. */
export async function runMutations(count: number, seed: number, heap = (): number => 0): Promise<Summary> {
  const errors: Record<string, number> = {};
  const heapMegabytes: number[] = [];
  let notJson = 0;
  let silent = 0;
  let answered = 0;

  for (let done = 0; done < count; ) {
    const jobs = scriptedJobs();
    const launcher = await startLauncher({ jobs });
    let nextResponseId = 1;
    const inSession = Math.min(PER_SESSION, count - done);
    for (let sent = 0; sent < inSession; ) {
      const size = Math.min(BATCH, inSession - sent);
      const texts = fc
        .sample(mutant, { numRuns: size, seed: seed + done + sent })
        .map((made, index) => makeText(1000 + sent + index, made));
      const expected = new Map<string, string>();
      for (const text of texts) {
        const message = parsedOrUndefined(text);
        if (message === undefined) {
          notJson++;
          mustBreak(text);
          continue;
        }
        const id = answerableId(text, message.value);
        if (id === undefined) silent++;
        else expected.set(id, text);
        launcher.sendText(text);
      }
      const answers = await quiet(launcher);
      for (const answer of answers) {
        const { messageType, responseId, errorCode } = JSON.parse(answer) as JsonObject;
        const counted = ![-1, 0, 203].includes(messageType as number);
        if (responseId !== (counted ? nextResponseId : 0))
          throw new Error(`responseId is not ${nextResponseId}: ${answer}`);
        if (counted) nextResponseId++;
        if (messageType === -1) errors[String(errorCode)] = (errors[String(errorCode)] ?? 0) + 1;
        const served = [...answer.matchAll(/"requestId":(\d+)/g)].map(([, id = '']) => id);
        for (const id of served) if (expected.delete(id)) answered++;
      }
      const [unanswered] = expected.values();
      if (unanswered !== undefined) throw new Error(`not answered: ${unanswered.slice(0, 2000)}`);
      sent += size;
    }
    done += inSession;
    await launcher.end();
    if (jobs.reading() !== 0) throw new Error('a stream was left open');
    heapMegabytes.push(heap());
  }
  return { messages: count, notJson, silent, answered, errors, heapMegabytes };
}

function parsedOrUndefined(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(Buffer.from(text).toString()) };
  } catch {
    return undefined;
  }
}

function mustBreak(text: string): void {
  try {
    parseRequest(Buffer.from(text));
  } catch (error) {
    if (error instanceof BrokenFrameError) return;
    throw error;
  }
  throw new Error(`taken for JSON: ${text.slice(0, 2000)}`);
}

/** Everything that came until nothing more comes. */
async function quiet(launcher: Launcher): Promise<string[]> {
  const all: string[] = [];
  for (let more = await launcher.texts(); more.length > 0; more = await launcher.texts()) all.push(...more);
  await settle();
  return [...all, ...(await launcher.texts())];
}
