/** Recorded watch lines, announced to a repository again: in their order, or with the watches running apart. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Event, Pod } from 'kubernetes-types/core/v1.d.ts';
import { type JobView, projectEvent, projectJob, projectPod } from '../../../src/jobs/view/projection.ts';
import type { JobRecord } from '../../../src/jobs/view/record.ts';
import { Repository } from '../../../src/jobs/view/repository.ts';
import type { Projected } from '../../../src/kubernetes/contract.ts';
import { Store } from '../../../src/kubernetes/watch/store.ts';
import { CONTROLS, EXPECTED, RESULTS } from './recorded.ts';

const FIXTURES = new URL('../../../fixtures/recordings/', import.meta.url);

interface Line<P> {
  readonly at: number;
  readonly deleted: boolean;
  readonly object: P;
}

interface Scenario {
  readonly jobs: readonly Line<JobView>[];
  readonly pods: readonly Line<ReturnType<typeof projectPod>>[];
  readonly events: readonly Line<ReturnType<typeof projectEvent>>[];
}

function read<T extends Job | Pod | Event, P extends Projected>(
  scenario: string,
  kind: string,
  project: (object: T) => P,
): Line<P>[] {
  const text = readFileSync(new URL(`${scenario}/watch-${kind}.jsonl`, FIXTURES), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ event }) => ['ADDED', 'MODIFIED', 'DELETED'].includes(event.type))
    .map(({ t_ms, event }) => {
      const object = project(event.object);
      // Tenfold, so that what we add finds a place between two versions.
      return {
        at: t_ms,
        deleted: event.type === 'DELETED',
        object: { ...object, resourceVersion: `${object.resourceVersion}0` },
      };
    });
}

/** Adds the annotations that the recorder did not write: to the job's later versions, and as a version of its own. */
function annotate(lines: Line<JobView>[]): Line<JobView>[] {
  let annotated = lines;
  const add = (name: string, at: number, members: Partial<JobView>): void => {
    const last = annotated.findLast((line) => line.object.name === name && line.at < at);
    if (last === undefined) throw new Error(`no version of ${name} before ${at}`);
    const written = { ...last.object, ...members, resourceVersion: last.object.resourceVersion.replace(/0$/, '5') };
    annotated = [
      ...annotated.map((line) =>
        line.object.name === name && line.at >= at ? { ...line, object: { ...line.object, ...members } } : line,
      ),
      { at, deleted: false, object: written },
    ].toSorted((a, b) => a.at - b.at);
  };
  const names = new Set<string>(lines.map(({ object }) => object.name));
  for (const [name, [at, operation]] of Object.entries(CONTROLS))
    if (names.has(name)) add(name, at, { control: { operation, at: '', user: 'alice' } });
  for (const [name, [at, result]] of Object.entries(RESULTS)) if (names.has(name)) add(name, at, { result });
  return annotated;
}

/** Those of which it is written down what is to be announced. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map<string, Scenario>(
  readdirSync(FIXTURES)
    .filter((name) => name in EXPECTED)
    .map((name) => [
      name,
      {
        jobs: annotate(read(name, 'jobs', projectJob)),
        pods: read(name, 'pods', projectPod),
        events: read(name, 'events', projectEvent),
      },
    ]),
);

const tell = ({ outcome }: JobRecord): string => {
  const { state, statusCode, exitCode } = outcome;
  return [
    state,
    ...(statusCode === state && !(state === 'Killed' || state === 'Canceled') ? [] : [statusCode]),
    ...(exitCode === undefined ? [] : [exitCode]),
  ].join(' ');
};

/** Milliseconds by which each line comes late; lines of one kind keep their order. */
interface Lateness {
  readonly jobs: () => number;
  readonly pods: () => number;
  readonly events: () => number;
  readonly reads: () => number;
}
export const AT_ONCE: Lateness = { jobs: () => 0, pods: () => 0, events: () => 0, reads: () => 0 };

/** What is announced of each job, in order. */
export function replay(scenario: Scenario, lateness: Lateness): Map<string, string[]> {
  interface Step {
    readonly due: number;
    readonly run: () => void;
  }
  const steps: Step[] = [];
  const schedule = (step: Step): void => {
    let index = steps.length;
    while (index > 0 && (steps[index - 1]?.due ?? 0) > step.due) index--;
    steps.splice(index, 0, step);
  };
  let now = 0;

  const repository = new Repository();
  const reading = new Set<JobRecord>();
  const confirmIfNeeded = (record: JobRecord): void => {
    if (record.confirmation !== 'needed' || reading.has(record)) return;
    reading.add(record);
    const run = (): void => {
      const exists = readJob(record.job);
      reading.delete(record);
      repository.confirm(record, { exists, ran: false });
      confirmIfNeeded(record);
    };
    schedule({ due: now + lateness.reads(), run });
  };
  repository.onUpdate(confirmIfNeeded);
  const jobs = new Store<JobView>(repository.applyJob);
  const pods = new Store<ReturnType<typeof projectPod>>(repository.applyPod);
  const events = new Store<ReturnType<typeof projectEvent>>(repository.applyEvent);
  const undelivered = [...scenario.pods];

  /** The read gives everything up to this moment, and waits for the watch of pods. */
  function readJob(job: JobView): boolean {
    const known = scenario.jobs.filter((line) => line.object.uid === job.uid && line.at <= now);
    const last = known.at(-1);
    if (last !== undefined && !last.deleted) jobs.offer(last.object);
    while ((undelivered[0]?.at ?? Number.POSITIVE_INFINITY) <= now) deliverPod();
    return last !== undefined && !last.deleted;
  }
  function deliverPod(): void {
    const line = undelivered.shift();
    if (line !== undefined) deliver(pods, line);
  }
  function deliver<P extends Projected>(store: Store<P>, { deleted, object }: Line<P>): void {
    if (deleted) store.deleted(object);
    else store.changed(object);
  }
  function scheduleAll<P extends Projected>(
    lines: readonly Line<P>[],
    late: () => number,
    run: (line: Line<P>) => void,
  ) {
    let due = 0;
    for (const line of lines) {
      due = Math.max(due, line.at + late());
      schedule({ due, run: () => run(line) });
    }
  }
  scheduleAll(scenario.jobs, lateness.jobs, (line) => deliver(jobs, line));
  scheduleAll(scenario.pods, lateness.pods, (line) => {
    if (undelivered.includes(line)) while (undelivered.includes(line)) deliverPod();
  });
  scheduleAll(scenario.events, lateness.events, (line) => deliver(events, line));

  const announced = new Map<string, string[]>();
  const uids = [...new Set(scenario.jobs.map(({ object }) => object.uid))];
  const nameOf = new Map<string, string>();
  for (const uid of uids) {
    const name = scenario.jobs.find(({ object }) => object.uid === uid)?.object.name ?? '';
    const earlier = [...nameOf.values()].filter((other) => other.split('#')[0] === name).length;
    nameOf.set(uid, earlier === 0 ? name : `${name}#${earlier + 1}`);
  }
  repository.onChange((record) => {
    const name = nameOf.get(record.uid) ?? record.id;
    const list = announced.get(name) ?? [];
    const text = tell(record);
    if (list.at(-1) !== text) announced.set(name, [...list, text]);
  });
  repository.open();
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    now = step.due;
    step.run();
  }
  return announced;
}
