/** No end is lost or invented where the pods of a job could not be watched, or its Job goes before them. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { type JobView, type PodView, projectJob, projectPod } from '../../../src/jobs/view/projection.ts';
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
const event = <P extends Projected>({ type, object }: Line<P>): ReflectorEvent<P> =>
  type === 'DELETED' ? { type, object, found: 'watch' } : { type: 'ADDED', object };

/** Final states are confirmed at once: there is nothing to read. */
function open(): { repository: Repository; announced: string[] } {
  const repository = new Repository();
  const announced: string[] = [];
  repository.onChange(({ outcome: { state, statusCode } }) => announced.push(`${state}/${statusCode}`));
  repository.onUpdate((record) => {
    if (record.confirmation === 'needed') repository.confirm(record, !record.deleted);
  });
  repository.open();
  return { repository, announced };
}

t.test('given Jobs that are deleted and pods that were never seen, the Job tells whether they ran', async (t) => {
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
      repository.applyJob(event(line));
    }
    t.equal(announced.at(-1), end, name);
  }
});

const [running] = pods('12-delete-job', 's12-bg').filter(({ object }) => object.container.running !== undefined);
const [, started] = jobs('12-delete-job', 's12-bg').filter(({ object }) => object.name === 's12-bg');
if (running === undefined || started === undefined) throw new Error('the recording has no such versions');
const [job, pod] = [started.object, running.object];
const added = <P extends Projected>(object: P): ReflectorEvent<P> => event({ type: 'ADDED', object });
const deleted = <P extends Projected>(object: P): ReflectorEvent<P> => event({ type: 'DELETED', object });

t.test('given a Job whose label is taken away and given back, its pod is still known', async (t) => {
  const { repository, announced } = open();
  repository.applyJob(added(job));
  repository.applyPod(added(pod));
  repository.applyJob(deleted(job));
  repository.applyJob(added(job));
  t.strictSame(announced, ['Pending/Pending', 'Running/Running', 'Killed/Deleted', 'Running/Running']);
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
      const [other, otherPod] = [
        { ...job, uid: `j${index}`, name: `j${index}` },
        { ...pod, uid: `p${index}` },
      ];
      repository.applyJob(added(other));
      repository.applyPod(added({ ...otherPod, jobUid: other.uid }));
      repository.applyJob(deleted(other));
      repository.applyPod(deleted({ ...otherPod, jobUid: other.uid }));
    }
    announced.length = 0;
    repository.applyJob(added(job));
    t.strictSame(announced, ['Finished/Error']);
  },
);
