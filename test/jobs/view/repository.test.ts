/** No end is lost or invented where the pods of a job could not be watched, or its Job goes before them. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  type EventView,
  type JobView,
  type PodView,
  projectEvent,
  projectJob,
  projectPod,
} from '../../../src/jobs/view/projection.ts';
import { Repository } from '../../../src/jobs/view/repository.ts';
import type { Projected, ReflectorEvent } from '../../../src/kubernetes/contract.ts';

const FIXTURES = new URL('../../../fixtures/recordings/', import.meta.url);

interface Line<P> {
  readonly type: string;
  readonly object: P;
}

/** What a watch announced of an object whose name begins like this. */
function recorded<P extends Projected>(file: string, name: string, project: (object: never) => P): readonly Line<P>[] {
  return readFileSync(new URL(file, FIXTURES), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).event)
    .filter(({ type, object }) => type !== 'BOOKMARK' && object.metadata.name.startsWith(name))
    .map(({ type, object }) => ({ type, object: project(object as never) }));
}
const jobs = (scenario: string, name: string): readonly Line<JobView>[] =>
  recorded(`${scenario}/watch-jobs.jsonl`, name, projectJob);
const pods = (scenario: string, name: string): readonly Line<PodView>[] =>
  recorded(`${scenario}/watch-pods.jsonl`, name, projectPod);

/** A version as the reflectors pass it on. */
const eventOf = <P extends Projected>({ type, object }: Line<P>): ReflectorEvent<P> =>
  type === 'DELETED' ? { type, object, found: 'watch' } : { type: 'ADDED', object };

/** Final states are confirmed at once: there is nothing to read. */
function open(): { repository: Repository; announced: string[] } {
  const repository = new Repository();
  const announced: string[] = [];
  repository.onChange(({ outcome: { state, statusCode } }) => announced.push(`${state}/${statusCode}`));
  repository.onUpdate((record) => {
    if (record.confirmation === 'needed') repository.confirm(record, { exists: !record.deleted, ran: false });
  });
  repository.open();
  return { repository, announced };
}

t.test('the Job shows whether a deleted job ran, without an observed pod', async (t) => {
  const ENDS: readonly (readonly [scenario: string, name: string, end: string])[] = [
    ['12-delete-job', 's12-bg', 'Killed/Deleted'],
    ['12-delete-job', 's12-fg', 'Killed/Deleted'],
    ['05-unschedulable', 's05-cpu', 'Canceled/Deleted'],
    ['10-cancel-pending', 's10-nopod', 'Canceled/Deleted'],
    // Deleted within the second after its start, before the Job controller looked.
    ['09-kill', 's09-uid', 'Canceled/Deleted'],
  ];
  for (const [scenario, name, end] of ENDS) {
    const { repository, announced } = open();
    for (const line of jobs(scenario, name).filter(({ object }) => object.name === name)) {
      repository.applyJob(eventOf(line));
    }
    t.equal(announced.at(-1), end, name);
  }
});

const [running] = pods('12-delete-job', 's12-bg').filter(({ object }) => object.container.running !== undefined);
const [, started] = jobs('12-delete-job', 's12-bg').filter(({ object }) => object.name === 's12-bg');
if (running === undefined || started === undefined) throw new Error('the recording has no such versions');
const [job, pod] = [started.object, running.object];
const added = <P extends Projected>(object: P): ReflectorEvent<P> => eventOf({ type: 'ADDED', object });
const deleted = <P extends Projected>(object: P): ReflectorEvent<P> => eventOf({ type: 'DELETED', object });

t.test('each job is evaluated once for all requests that waited for the first lists', async (t) => {
  const repository = new Repository();
  const updated: string[] = [];
  repository.onUpdate(({ id }) => updated.push(id));
  for (const id of ['a', 'b'])
    repository.applyJob(added({ ...job, ...projectJob({ metadata: { uid: id, name: id } }) }));
  for (let waiting = 0; waiting < 3; waiting++) repository.open();
  t.strictSame(updated, ['a', 'b']);
});

t.test('a Job that loses and regains its label keeps its final state', async (t) => {
  const { repository, announced } = open();
  repository.applyJob(added(job));
  repository.applyPod(added(pod));
  repository.applyJob(deleted(job));
  repository.applyJob(added(job));
  t.match(repository.get(job.name)?.outcome, { state: 'Killed', statusCode: 'Deleted' });
  t.strictSame(announced, ['Pending/Pending', 'Running/Running', 'Killed/Deleted']);
});

t.test(
  'given a pod that came and went before its Job is known, its end is not lost among those of deleted Jobs',
  async (t) => {
    const { repository, announced } = open();
    const terminated = { exitCode: 3, reason: 'Error', message: '', startedAt: 1, finishedAt: 2 };
    const ended: PodView = { ...pod, phase: 'Failed', container: { ...pod.container, terminated } };
    repository.applyPod(added(ended));
    repository.applyPod(deleted(ended));
    for (let index = 0; index < 1_000; index++) {
      const { uid, name } = projectJob({ metadata: { uid: `j${index}`, name: `j${index}` } });
      const other = { ...job, uid, name };
      const otherPod = { ...pod, uid: projectPod({ metadata: { uid: `p${index}` } }).uid, jobUid: uid };
      repository.applyJob(added(other));
      repository.applyPod(added(otherPod));
      repository.applyJob(deleted(other));
      repository.applyPod(deleted(otherPod));
    }
    announced.length = 0;
    repository.applyJob(added(job));
    t.strictSame(announced, ['Finished/Error']);
  },
);

const event = (name: string, message: string, lastTimestamp: string) =>
  projectEvent({
    metadata: { uid: `uid-${name}`, name, resourceVersion: '9' },
    involvedObject: { uid: job.uid },
    type: 'Warning',
    reason: 'FailedCreate',
    message,
    lastTimestamp,
  });

/** The message of a Pending job after these Warning events of its Job. */
function messageAfter(...events: readonly ReturnType<typeof event>[]): string | undefined {
  const { repository } = open();
  repository.applyJob(added({ ...job, ready: false }));
  for (const each of events) repository.applyEvent(added(each));
  return repository.get(job.name)?.outcome.message;
}

t.test('of two Warning events of the same second the one that is delivered later is the reason', async (t) => {
  t.equal(messageAfter(event('a', 'one', '2030-01-01T00:00:05Z'), event('b', 'two', '2030-01-01T00:00:05Z')), 'two');
});

t.test('an older Warning event does not replace a newer one', async (t) => {
  t.equal(messageAfter(event('a', 'one', '2030-01-01T00:00:05Z'), event('b', 'two', '2030-01-01T00:00:04Z')), 'one');
});

/** The message of a Pending job, of which one event came before its Job and these of others. */
function messageAfterEarly(others: number): string | undefined {
  const { repository } = open();
  repository.keepEarlyEvent(event('a', 'no room', '2030-01-01T00:00:05Z'));
  for (let index = 0; index < others; index++) {
    const { uid } = projectJob({ metadata: { uid: `other-${index}`, name: 'other' } });
    repository.keepEarlyEvent({ ...event('b', 'x', '2030-01-01T00:00:05Z'), subject: uid as EventView['subject'] });
  }
  repository.applyJob(added({ ...job, ready: false }));
  return repository.get(job.name)?.outcome.message;
}

t.test('an event that comes before its Job is kept, with those of 999 other unknown objects at most', async (t) => {
  t.equal(messageAfterEarly(999), 'no room');
  t.equal(messageAfterEarly(1_000), '');
});

t.test('of two pods the one that was created later decides', async (t) => {
  const { repository, announced } = open();
  const [older, younger] = ['p-1', 'p-2'].map((uid, index) => {
    const exitCode = index + 3;
    const terminated = { exitCode, reason: 'Error', message: '', startedAt: 1, finishedAt: 2 };
    return {
      ...pod,
      uid: projectPod({ metadata: { uid } }).uid,
      createdAt: pod.createdAt + index * 1000,
      container: { ...pod.container, terminated },
    };
  });
  if (older === undefined || younger === undefined) throw new Error('two pods');
  repository.applyPod(added(younger));
  repository.applyPod(added(older));
  repository.applyJob(added(job));
  t.strictSame(announced, ['Finished/Error']);
  t.equal(repository.get(job.name)?.outcome.exitCode, 4);
});

t.test('the jobs of a user are those of that user, of all users for an administrator', async (t) => {
  const { repository } = open();
  const view = (name: string, user: string) =>
    projectJob({
      metadata: { name, uid: `uid-${name}`, resourceVersion: '1' },
      spec: { template: { metadata: { annotations: { user } } } },
    });
  for (const [name, user] of [
    ['a', 'alice'],
    ['b', 'bob'],
    ['c', 'alice'],
  ] as const)
    repository.applyJob(added(view(name, user)));
  const idsOf = (user: string): string[] => [...repository.recordsOf(user)].map(({ id }) => id);
  t.strictSame([idsOf('alice'), idsOf('bob'), idsOf('eve'), idsOf('*')], [['a', 'c'], ['b'], [], ['a', 'b', 'c']]);
  repository.applyJob(deleted(view('a', 'alice')));
  t.strictSame(idsOf('alice'), ['c']);
});

t.test('an orphaned pod is not a pod of the job any more; the job ends with its Job', async (t) => {
  const { repository, announced } = open();
  repository.applyJob(added(job));
  repository.applyPod(added(pod));
  const orphan = { ...pod, jobUid: projectPod({ metadata: {} }).jobUid, resourceVersion: `${pod.resourceVersion}0` };
  repository.applyPod(eventOf({ type: 'MODIFIED', object: orphan }));
  repository.applyJob(deleted(job));
  t.strictSame(announced, ['Pending/Pending', 'Running/Running', 'Running/Running', 'Killed/Deleted']);
});

t.test(
  'after a restart, a job that ended a moment ago without a pod is Running until its end is confirmed',
  async (t) => {
    const repository = new Repository();
    const announced: string[] = [];
    repository.onChange(({ outcome: { state } }) => announced.push(state));
    repository.open();
    const decision = { type: 'Complete', reason: 'CompletionsReached', message: '', at: job.createdAt } as const;
    repository.applyJob(added({ ...job, ready: false, finished: true, decision }));
    const record = repository.get(job.name);
    t.strictSame([announced, record?.confirmation], [['Running'], 'needed']);
    if (record !== undefined) repository.confirm(record, { exists: true, ran: false });
    t.strictSame(announced, ['Running', 'Finished']);
  },
);

t.test(
  'a Job that has failed before its pod is known is not Pending again for an older version of the pod',
  async (t) => {
    const repository = new Repository();
    const announced: string[] = [];
    repository.onChange(({ outcome: { state, statusCode } }) => announced.push(`${state}/${statusCode}`));
    repository.open();
    const decision = { type: 'Failed', reason: 'BackoffLimitExceeded', message: '', at: job.createdAt } as const;
    repository.applyJob(added({ ...job, ready: false, finished: true, decision }));
    const { running: _, ...container } = pod.container;
    const waiting: PodView = { ...pod, phase: 'Pending', container };
    repository.applyPod(added(waiting));
    t.strictSame(announced, ['Running/Running']);
    const terminated = { exitCode: 128, reason: 'StartError', message: 'no such file', finishedAt: 2 };
    const ended: PodView = { ...waiting, phase: 'Failed', container: { ...container, terminated } };
    repository.applyPod(
      eventOf({ type: 'MODIFIED', object: { ...ended, resourceVersion: `${pod.resourceVersion}0` } }),
    );
    t.strictSame(announced, ['Running/Running', 'Failed/StartError']);
  },
);

t.test(
  'of ten versions of a pod, five are progress of its job: it appears, runs, ends, is to be deleted and is deleted',
  async (t) => {
    const { repository } = open();
    const name = 's01-ok-mm5nj';
    for (const line of jobs('01-success', name).slice(0, 1)) repository.applyJob(eventOf(line));
    const record = repository.find(name, '*');
    const calls: string[] = [];
    repository.onProgressOf(record, () => calls.push(`${record.pod?.view.phase} ${record.pod?.present}`));
    const versions = pods('01-success', name);
    for (const line of versions) repository.applyPod(eventOf(line));
    t.equal(versions.length, 10);
    t.strictSame(calls, ['Pending true', 'Running true', 'Running true', 'Succeeded true', 'Succeeded false']);
  },
);
