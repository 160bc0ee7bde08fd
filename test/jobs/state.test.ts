/** The rows of the state table that no recording shows, what doubt is, and the words that people read. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import {
  type EventView,
  type JobView,
  type PodView,
  projectEvent,
  projectJob,
  projectPod,
} from '../../src/jobs/projection.ts';
import {
  duration,
  eventReason,
  isTelling,
  pendingReason,
  pullCause,
  startFailure,
  waitingReason,
} from '../../src/jobs/reasons.ts';
import { type SeenPod, seePod } from '../../src/jobs/seen-pod.ts';
import type { Outcome, Situation } from '../../src/jobs/situation.ts';
import { SEEN, stateOf, stateWithoutJob } from '../../src/jobs/state.ts';
import { time } from '../../src/jobs/times.ts';
import { request } from './requests.ts';

const SECOND = 1000;
const START = Date.UTC(2026, 10, 23, 18, 0, 0);

const job = (members: Partial<JobView> = {}): JobView => ({
  uid: 'j',
  name: 'job-a',
  resourceVersion: '1',
  request: request(),
  createdAt: START,
  lastTransition: START,
  suspended: false,
  idle: false,
  ready: false,
  finished: false,
  stdinDue: false,
  ...members,
});
const pod = (members: Partial<PodView> = {}): PodView => ({
  uid: 'p',
  name: 'job-a-x',
  resourceVersion: '2',
  jobUid: 'j',
  createdAt: START,
  lastTransition: START,
  node: 'node0',
  phase: 'Running',
  reason: '',
  message: '',
  startTime: START,
  container: { name: 'c', image: 'busybox', running: { startedAt: START } },
  init: [],
  sharesProcesses: true,
  hostIp: '',
  podIps: [],
  ...members,
});
const end = (
  exitCode: number,
  members: Partial<NonNullable<PodView['container']['terminated']>> = {},
): PodView['container'] => ({
  name: 'c',
  image: 'busybox',
  terminated: {
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    message: '',
    startedAt: START,
    finishedAt: START + 5 * SECOND,
    ...members,
  },
});
const seen = (view: PodView, present = true, first?: 'end' | 'removal'): SeenPod => ({
  view,
  present,
  ...(first === undefined ? {} : { first }),
});
const FAILED = {
  decision: { type: 'Failed', reason: 'BackoffLimitExceeded', message: '', at: START },
  finished: true,
} as const;
const COMPLETE = {
  decision: { type: 'Complete', reason: 'CompletionsReached', message: '', at: START },
  finished: true,
} as const;
const RUNNING: Outcome = { state: 'Running', statusCode: 'Running', message: '' };
const control = (operation: 'stop' | 'kill' | 'cancel', reason?: string): Pick<JobView, 'control'> => ({
  control: { operation, at: '', user: 'alice', ...(reason === undefined ? {} : { reason }) },
});
const situation = (members: Partial<Situation>): Situation => ({
  job: job(),
  ran: false,
  createWarning: '',
  inputProblem: '',
  ...members,
});

interface Case {
  readonly what: string;
  readonly row: string;
  readonly seen: Partial<Situation>;
  /** state, statusCode, exit code, message. */
  readonly told: readonly [string, string, number | undefined, string];
  readonly doubtful?: boolean;
}

const DELETION = { deletion: { at: START + 34 * SECOND, graceSeconds: 30 } };
const ROWS: readonly Case[] = [
  {
    what: 'the result that is written down',
    row: '1',
    seen: {
      job: job({ result: { state: 'Finished', statusCode: 'Stopped', exitCode: 143, message: 'm' } }),
      pod: seen(pod()),
    },
    told: ['Finished', 'Stopped', 143, 'm'],
  },
  {
    what: 'a terminal state that was announced',
    row: '1',
    seen: { announced: { state: 'Killed', statusCode: 'OOMKilled', message: 'x', exitCode: 137 }, pod: seen(pod()) },
    told: ['Killed', 'OOMKilled', 137, 'x'],
  },
  {
    what: 'killed, and the pod is gone after a restart of ours',
    row: '2',
    seen: { job: job(control('kill')) },
    told: ['Killed', 'Killed', 137, ''],
  },
  {
    what: 'killed, but its program ended with a code of its own',
    row: '11',
    seen: { job: job(control('kill')), pod: seen(pod({ phase: 'Failed', container: end(4) })) },
    told: ['Finished', 'Error', 4, 'ended with exit code 4'],
  },
  {
    what: 'stopped on an old kubelet, which never reports the exit code',
    row: '3',
    seen: {
      job: job(control('stop')),
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 1 })),
    },
    told: ['Finished', 'Stopped', undefined, ''],
  },
  {
    what: 'a kill that came while a stop was at work',
    row: '3',
    seen: {
      job: job(control('kill')),
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 1, container: end(143) })),
    },
    told: ['Finished', 'Stopped', 143, ''],
  },
  {
    what: 'canceled on a server that only knows parallelism, with a reason',
    row: '4',
    seen: { job: job({ ...control('cancel', 'pending too long'), idle: true }), pod: seen(pod()) },
    told: ['Canceled', 'Canceled', undefined, 'pending too long'],
  },
  {
    what: 'a cancel that the server did not take in',
    row: '14',
    seen: { job: job(control('cancel')), pod: seen(pod()) },
    told: ['Running', 'Running', undefined, ''],
  },
  {
    what: 'a cancel that came after the end',
    row: '11',
    seen: { job: job({ ...control('cancel'), suspended: true }), pod: seen(pod({ container: end(0) })) },
    told: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'suspended by somebody after it had ended: the end stands',
    row: '11',
    seen: { job: job({ suspended: true }), pod: seen(pod({ container: end(3) }), false, 'end') },
    told: ['Finished', 'Error', 3, 'ended with exit code 3'],
  },
  {
    what: 'removed while it ran, the Job controller has not said anything yet',
    row: '6',
    seen: { pod: seen(pod(), false), announced: RUNNING, ran: true },
    told: ['Running', 'Running', undefined, 'its pod was deleted in Kubernetes by somebody else'],
  },
  {
    what: 'a pod evicted by its kubelet',
    row: '6a',
    seen: {
      job: job(FAILED),
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'Evicted',
          message: 'The node was low on resource: memory.',
          container: end(137),
        }),
      ),
    },
    told: ['Killed', 'Evicted', 137, 'evicted: The node was low on resource: memory.'],
    doubtful: true,
  },
  {
    what: 'a node that shut down',
    row: '6a',
    seen: {
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'Terminated',
          message: 'Pod was terminated in response to imminent node shutdown.',
        }),
      ),
    },
    told: [
      'Killed',
      'Terminated',
      undefined,
      'ended because its node shut down: Pod was terminated in response to imminent node shutdown.',
    ],
    doubtful: true,
  },
  {
    what: 'deleted and ended in the only version that was seen: asked for before the end',
    row: '6a',
    seen: { job: job(FAILED), pod: seen(pod({ ...DELETION, container: end(0) }), true) },
    told: ['Killed', 'Deleted', 0, 'its pod was deleted in Kubernetes by somebody else'],
    doubtful: true,
  },
  {
    what: 'the same, but the end was first, by the times',
    row: '11',
    seen: {
      job: job(COMPLETE),
      pod: seen(pod({ deletion: { at: START + 60 * SECOND, graceSeconds: 30 }, container: end(0) })),
    },
    told: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'the same, and the end was seen first',
    row: '11',
    seen: { job: job(COMPLETE), pod: seen(pod({ ...DELETION, container: end(0) }), false, 'end') },
    told: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'its time limit, while it ran',
    row: '7',
    seen: {
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 5, container: end(143) })),
    },
    told: ['Killed', 'DeadlineExceeded', 143, 'ran longer than its limit of 5 seconds'],
    doubtful: true,
  },
  {
    what: 'its time limit, while a sidecar held the pod',
    row: '11',
    seen: {
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 6, container: end(3) })),
    },
    told: ['Finished', 'Error', 3, 'ended with exit code 3'],
  },
  {
    what: 'its time limit, before it had started',
    row: '7',
    seen: {
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'DeadlineExceeded',
          deadline: 60,
          container: { name: 'c', image: 'r:9', waiting: { reason: 'ErrImagePull', message: 'x: not found' } },
        }),
      ),
    },
    told: [
      'Failed',
      'DeadlineExceeded',
      undefined,
      'did not start in time: image r:9 cannot be pulled: not found in registry',
    ],
    doubtful: true,
  },
  {
    what: 'a runtime that lost its container',
    row: '9',
    seen: {
      pod: seen(pod({ phase: 'Failed', container: end(137, { reason: 'ContainerStatusUnknown', message: 'gone' }) })),
      ran: true,
    },
    told: ['Killed', 'ContainerStatusUnknown', undefined, 'gone'],
    doubtful: true,
  },
  {
    what: 'out of memory, the limit stands on the pod',
    row: '10',
    seen: {
      job: job(control('stop')),
      pod: seen(pod({ memoryLimit: '512M', container: end(137, { reason: 'OOMKilled' }) })),
    },
    told: ['Killed', 'OOMKilled', 137, 'out of memory (limit 512M)'],
  },
  {
    what: 'a child out of memory, no limit known',
    row: '10',
    seen: { pod: seen(pod({ container: end(7, { reason: 'OOMKilled' }) })) },
    told: ['Finished', 'OOMKilled', 7, 'out of memory'],
  },
  {
    what: 'exit code 137 without a control: what is not known yet may explain it',
    row: '11',
    seen: { pod: seen(pod({ container: end(137) })) },
    told: ['Finished', 'Error', 137, 'ended with exit code 137'],
    doubtful: true,
  },
  {
    what: 'its own last words',
    row: '11',
    seen: { pod: seen(pod({ container: end(5, { message: 'no licence\n' }) })) },
    told: ['Finished', 'Error', 5, 'no licence'],
  },
  {
    what: 'suspended by somebody else, and its pod was removed',
    row: '5',
    seen: { job: job({ suspended: true }), announced: RUNNING, ran: true },
    told: ['Pending', 'Suspended', undefined, 'suspended in Kubernetes by somebody else'],
  },
  {
    what: 'a program that is not there',
    row: '8',
    seen: {
      pod: seen(
        pod({
          container: {
            name: 'c',
            image: 'busybox',
            terminated: {
              exitCode: 128,
              reason: 'StartError',
              message:
                'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: ' +
                'unable to start container process: exec: "/no/such/exe": stat /no/such/exe: no such file or directory',
            },
          },
        }),
      ),
    },
    told: ['Failed', 'StartError', undefined, 'exec: "/no/such/exe": no such file or directory'],
  },
  {
    what: 'a node without room, after all',
    row: '12b',
    seen: {
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'OutOfcpu',
          message: "Pod was rejected: Node didn't have enough resource: cpu",
          container: { name: 'c', image: 'b' },
        }),
      ),
    },
    told: ['Failed', 'OutOfcpu', undefined, "Pod was rejected: Node didn't have enough resource: cpu"],
  },
  {
    what: 'the same, being deleted when it was first seen: what the kubelet says came before',
    row: '6a',
    seen: {
      job: job(FAILED),
      pod: seen(
        pod({
          ...DELETION,
          phase: 'Failed',
          reason: 'UnexpectedAdmissionError',
          message: 'Pod was rejected: Allocate failed due to no healthy devices present',
          container: { name: 'c', image: 'b' },
        }),
      ),
    },
    told: [
      'Failed',
      'UnexpectedAdmissionError',
      undefined,
      'Pod was rejected: Allocate failed due to no healthy devices present',
    ],
    doubtful: true,
  },
  {
    what: 'succeeded, the container told nothing',
    row: '12a',
    seen: { pod: seen(pod({ phase: 'Succeeded', container: { name: 'c', image: 'b' } })) },
    told: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'complete, and the pod went before this process started',
    row: '13a',
    seen: { job: job(COMPLETE) },
    told: ['Finished', 'Completed', 0, 'its pod is gone; how it ended is not known'],
    doubtful: true,
  },
  {
    what: 'failed, and the pod went before this process started',
    row: '13b',
    seen: { job: job(FAILED) },
    told: ['Failed', 'BackoffLimitExceeded', undefined, 'its pod is gone; how it ended is not known'],
    doubtful: true,
  },
  {
    what: 'running on a node that is silent',
    row: '14',
    seen: { pod: seen(pod({ nodeSilentSince: Date.parse('2026-11-01T10:00:00Z') })) },
    told: ['Running', 'Running', undefined, 'node node0 does not answer since 2026-11-01T10:00:00Z'],
  },
  {
    what: 'running while it is being evicted',
    row: '14',
    seen: {
      pod: seen(pod({ disruption: { reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting', at: START } })),
    },
    told: ['Running', 'Running', undefined, 'is being ended: evicted: Eviction API: evicting'],
  },
  {
    what: 'running while we delete its pod',
    row: '14',
    seen: { job: job(control('kill')), pod: seen(pod(DELETION)) },
    told: ['Running', 'Running', undefined, ''],
  },
  {
    what: 'running without its input',
    row: '14',
    seen: { pod: seen(pod()), inputProblem: 'its input was lost' },
    told: ['Running', 'Running', undefined, 'its input was lost'],
  },
  {
    what: 'nothing yet',
    row: '15',
    seen: { createWarning: 'unknown field' },
    told: ['Pending', 'Pending', undefined, 'unknown field'],
  },
];

const told = ({ state, statusCode, exitCode, message }: Outcome) => [state, statusCode, exitCode, message];

t.test('rows', async (t) => {
  for (const { what, row, seen: members, told: expected, doubtful = false } of ROWS) {
    const verdict = stateOf(situation(members));
    t.strictSame(told(verdict), expected, what);
    t.strictSame([verdict.row, verdict.doubtful], [row, doubtful], `${what}: row ${row}`);
  }
  const tried = new Set(ROWS.map(({ row }) => row));
  t.strictSame([...tried].sort(), [...SEEN.keys()].sort(), 'each row has its case');
});

t.test('the Job object is gone', async (t) => {
  t.strictSame(told(stateWithoutJob(situation({ ran: true, pod: seen(pod()) }))).slice(0, 3), [
    'Killed',
    'Deleted',
    undefined,
  ]);
  t.strictSame(told(stateWithoutJob(situation({}))).slice(0, 3), ['Canceled', 'Deleted', undefined]);
  t.strictSame(told(stateWithoutJob(situation({ pod: seen(pod({ container: end(3) })) }))), [
    'Finished',
    'Error',
    3,
    'ended with exit code 3',
  ]);
});

t.test('which came first, end or removal, is known to those who saw both', async (t) => {
  const running = seePod(undefined, pod(), true);
  t.equal(running.first, undefined);
  t.equal(seePod(running, pod(DELETION), true).first, 'removal');
  t.equal(seePod(seePod(running, pod(DELETION), true), pod({ ...DELETION, container: end(0) }), true).first, 'removal');
  t.equal(
    seePod(seePod(running, pod({ container: end(0) }), true), pod({ ...DELETION, container: end(0) }), false).first,
    'end',
  );
  t.equal(
    seePod(running, pod({ ...DELETION, container: end(0) }), true).first,
    undefined,
    'both at once: times decide',
  );
});

const FIXTURES = new URL('../../fixtures/recordings/', import.meta.url);
function recorded<T, P>(path: string, project: (object: T) => P): P[] {
  return readFileSync(new URL(path, FIXTURES), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).event)
    .filter(({ type }) => type !== 'BOOKMARK')
    .map(({ object }) => project(object));
}

t.test('what a pending job waits for, in the words of recorded clusters', async (t) => {
  const waits = (scenario: string, name: string): string[] => {
    const jobs = recorded(`${scenario}/watch-jobs.jsonl`, projectJob).filter((view) => view.name === name);
    const uid = jobs[0]?.uid;
    const pods = recorded(`${scenario}/watch-pods.jsonl`, projectPod).filter((view) => view.jobUid === uid);
    const events = recorded(`${scenario}/watch-events.jsonl`, projectEvent);
    const warnings = events.filter(
      (event) => event.warning && event.reason !== 'BackoffLimitExceeded' && isTelling(event),
    );
    const none = { warning: undefined, pulling: undefined, createWarning: '' };
    const [first] = jobs;
    if (first === undefined) return [];
    const reasons = [
      ...pods.filter((view) => view.deletion === undefined).map((view) => pendingReason(first, view, none)),
      ...warnings
        .filter(({ subject }) => subject === uid)
        .map((warning) => pendingReason(first, undefined, { ...none, warning })),
      ...warnings
        .filter(({ subject }) => subject === pods[0]?.uid)
        .map((warning) => pendingReason(first, pods[0], { ...none, warning })),
    ];
    return [...new Set(reasons)].filter((reason) => reason !== '');
  };
  t.strictSame(waits('04-image', 's04-never'), [
    'Container image "localhost/nothere:1" is not present with pull policy of Never',
  ]);
  t.match(waits('04-image', 's04-inval')[0], /^image .* is not a valid image name$/);
  t.match(waits('04-image', 's04-unreach')[0], /^image 10\.250\.0\.1:5999\/a\/b:1 cannot be pulled: /);
  t.match(waits('05-unschedulable', 's05-cpu')[0], /^0\/1 nodes are available: 1 Insufficient cpu\./);
  t.match(waits('06-config-errors', 's06-secret')[0], /^secret "s06-nope" not found$/);
  t.match(waits('06-config-errors', 's06-cm'), [
    /MountVolume.SetUp failed for volume "v" : configmap "nope" not found/,
  ]);
  t.match(waits('06-config-errors', 's06-sa')[0], /^error looking up service account rstudio\/.*not found$/);
  t.match(waits('14-quota-limitrange', 's14-two'), [
    /^quota exceeded: .*requested: pods=1, used: pods=1, limited: pods=1$/,
  ]);
  t.match(waits('14-quota-limitrange', 's14-big'), [/maximum cpu usage per Container is 1, but limit is 4/]);
  t.match(waits('32-init-containers', 's32-image')[0], /^image .* cannot be pulled: /);
});

t.test('words', async (t) => {
  const waiting = (reason: string, message: string): string =>
    waitingReason({ name: 'c', image: 'r-session:9.9', waiting: { reason, message } });
  t.equal(
    waiting(
      'ImagePullBackOff',
      'Back-off pulling image "r-session:9.9": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/r-session:9.9": failed to resolve reference "docker.io/library/r-session:9.9": docker.io/library/r-session:9.9: not found',
    ),
    'image r-session:9.9 cannot be pulled: not found in registry',
  );
  t.equal(waiting('ErrImagePull', 'pull QPS exceeded'), 'image r-session:9.9 cannot be pulled: pull QPS exceeded');
  t.equal(waiting('ContainerCreating', ''), '');
  t.equal(waiting('RunContainerError', 'no such device'), 'RunContainerError: no such device');
  t.equal(waiting('Strange', ''), 'Strange');
  t.match(pullCause('failed to authorize: 401 Unauthorized'), /^no access: /);
  t.equal(
    startFailure(
      'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/no/such/exe": stat /no/such/exe: no such file or directory',
    ),
    'exec: "/no/such/exe": no such file or directory',
  );
  t.equal(startFailure('exec format error'), 'exec format error');
  const event = (reason: string, message: string): EventView => ({
    uid: 'e',
    name: 'e',
    resourceVersion: '1',
    subject: 'p',
    warning: true,
    reason,
    message,
    at: START,
  });
  t.equal(eventReason(event('FailedMount', '')), 'FailedMount');
  t.equal(
    eventReason(event('Failed', 'Failed to pull image "a:1": rpc error: a:1: not found')),
    'image a:1 cannot be pulled: not found in registry',
  );
  t.equal(duration(90), '1 minute 30 seconds');
  t.equal(duration(0), '0 seconds');
  t.equal(duration(90_061), '1 day 1 hour 1 minute 1 second');
});

t.test('times of the API are milliseconds, none and 1970 are no time', async (t) => {
  t.equal(time('2026-11-23T18:40:12Z'), 1_795_459_212_000);
  t.equal(time('2026-11-23T18:40:12.345678Z'), 1_795_459_212_345);
  t.equal(time('0050-01-01T00:00:00Z'), -60_589_296_000_000);
  t.equal(time('1970-01-01T00:00:00Z'), undefined);
  t.equal(time('soon'), undefined);
  t.equal(time(''), undefined);
  t.equal(time(null), undefined);
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), (date) => {
      const text = date.toISOString().replace(/\.\d{3}Z$/, 'Z');
      return time(text) === (Date.parse(text) || undefined);
    }),
  );
});
