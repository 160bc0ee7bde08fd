/**
 * The state table over everything that a real cluster showed (recorded watch lines), in order and with the two watches
 * running apart: what is expected was written down by hand from kubernetes-objects.md section 2.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Event, Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { type JobResult, readResult } from '../../src/jobs/annotations.ts';
import type { JobEntry } from '../../src/jobs/entry.ts';
import { type JobState, TERMINAL_STATES } from '../../src/jobs/job.ts';
import { type JobView, projectEvent, projectJob, projectPod } from '../../src/jobs/projection.ts';
import { createRepository } from '../../src/jobs/repository.ts';
import type { Projected } from '../../src/kubernetes/contract.ts';
import { Store } from '../../src/kubernetes/store.ts';

const FIXTURES = new URL('../../fixtures/recordings/', import.meta.url);

const OK = ['Pending', 'Running', 'Finished Completed 0'];
const exits = (code: number): string[] => ['Pending', 'Running', `Finished Error ${code}`];
const DELETED_PENDING = ['Pending', 'Canceled Deleted'];
const DELETED_RUNNING = ['Pending', 'Running', 'Killed Deleted'];
const DELETED_SUSPENDED = ['Pending Suspended', 'Canceled Deleted'];
const stopped = (code: number): string[] => ['Pending', 'Running', `Finished Stopped ${code}`];
const KILLED = ['Pending', 'Running', 'Killed Killed 137'];
const NOT_STARTED = ['Pending', 'Failed StartError'];

/** What is announced of each job, by scenario. Pending stands for Pending/Pending, Running for Running/Running. */
const EXPECTED: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  '01-success': { 's01-ok-mm5nj': OK },
  '02-exit-code': { 's02-fast': exits(3), 's02-slow': exits(3), 's02-sig': OK, 's02-zero': OK },
  '02b-command-expansion': {
    's02b-exp': OK,
    's02b-env': OK,
    's02b-args': OK,
    's02b-segv': exits(139),
    's02b-term': exits(143),
    's02b-256': OK,
    's02b-255': exits(255),
    's02b-msg': exits(5),
  },
  '03-exe-not-found': {
    's03-nofile': NOT_STARTED,
    's03-dir': NOT_STARTED,
    's03-cwd': OK,
    's03-noexec': NOT_STARTED,
    's03-uid': OK,
  },
  '04-image': {
    's04-never': ['Pending', 'Failed DeadlineExceeded'],
    's04-unreach': DELETED_PENDING,
    's04-404': DELETED_PENDING,
    's04-401': DELETED_PENDING,
    's04-noroute': DELETED_PENDING,
    's04-inval': DELETED_PENDING,
  },
  '05-unschedulable': {
    's05-sel': ['Pending', 'Failed DeadlineExceeded'],
    's05-cpu': DELETED_PENDING,
    's05-mem': ['Pending', 'Failed Deleted'],
    's05-gpu': DELETED_PENDING,
  },
  '06-config-errors': {
    's06-secret': OK,
    's06-key': DELETED_PENDING,
    's06-pvc': DELETED_PENDING,
    's06-cm': DELETED_PENDING,
    's06-vsec': DELETED_PENDING,
    's06-nfs': DELETED_PENDING,
    's06-hp': DELETED_PENDING,
    's06-sa': DELETED_PENDING,
  },
  '06b-stop-while-creating': {
    's06b-cm': ['Pending', 'Failed DeadlineExceeded'],
    's06b-del': ['Pending', 'Failed Deleted'],
    's06b-susp': ['Pending', ...DELETED_SUSPENDED],
  },
  '07-oom': {
    's07-oom': ['Pending', 'Running', 'Killed OOMKilled 137'],
    's07-child': ['Pending', 'Running', 'Finished OOMKilled 7'],
  },
  '08-stop': {
    's08-plain': stopped(143),
    's08-trap0': stopped(0),
    's08-trap5': stopped(5),
    's08-ignore': stopped(137),
    's08-exec': stopped(143),
    's08-jobdl': ['Pending', 'Running', 'Killed DeadlineExceeded 143'],
  },
  '08b-signals-deadlines': {
    's08b-sig': exits(9),
    's08b-wall': ['Pending', 'Running', 'Killed DeadlineExceeded 143'],
    's08b-later': ['Pending', 'Running', 'Killed DeadlineExceeded 143'],
    's08b-semi': KILLED,
    's08b-fast': stopped(143),
  },
  '09-kill': {
    's09-exec': KILLED,
    's09-exec2': KILLED,
    's09-grace0': KILLED,
    's09-grace1': KILLED,
    's09-term': KILLED,
    's09-uid': DELETED_RUNNING,
  },
  '10-cancel-pending': {
    // Suspended by somebody without a control of ours, and resumed.
    's10-unsched': ['Pending', 'Pending Suspended', ...OK],
    's10-susp': ['Pending Suspended', ...OK],
    's10-nopod': ['Pending', ...DELETED_SUSPENDED],
  },
  '11-suspend-running': {
    's11-a': ['Pending', 'Running', 'Pending Suspended', ...DELETED_RUNNING],
    's11-done': OK,
  },
  '12-delete-job': {
    's12-bg': DELETED_RUNNING,
    's12-fg': DELETED_RUNNING,
    's12-bgdone': OK,
    's12-fgdone': OK,
    's12-orph': OK,
    's12-def': OK,
    's12-ttl': OK,
    's12-ttl0': OK,
  },
  '13-eviction': { 's13-a': ['Pending', 'Running', 'Killed EvictionByEvictionAPI 0'], 's13-b': DELETED_RUNNING },
  '14-quota-limitrange': {
    's14-noreq': DELETED_PENDING,
    's14-one': OK,
    's14-two': OK,
    's14-cpu': DELETED_PENDING,
    's14-def': OK,
    's14-big': DELETED_PENDING,
    's14-small': DELETED_PENDING,
  },
  '15-service': { 's15-a': DELETED_RUNNING, 's15-hp1': DELETED_RUNNING, 's15-hp2': DELETED_PENDING },
  '16-attach': {
    's16-cat': OK,
    's16-early': OK,
    's16-v4': OK,
    's16-late': exits(6),
    's16-nosin': DELETED_RUNNING,
    's16-never': OK,
    's16-big': OK,
    's16-ping': OK,
  },
  '17-list-watch': {
    // Its label was taken away and given back.
    's17-0': [...DELETED_SUSPENDED, ...DELETED_SUSPENDED],
    's17-1': DELETED_SUSPENDED,
    's17-2': DELETED_SUSPENDED,
    's17-3': DELETED_SUSPENDED,
    's17-4': DELETED_SUSPENDED,
  },
  '18-errors': {
    's18-dup': DELETED_SUSPENDED,
    's18-b': ['Pending'],
    's18-b2': DELETED_PENDING,
    's18-q': DELETED_PENDING,
    // Three jobs of one name.
    's18-fv': DELETED_SUSPENDED,
    's18-fv#2': DELETED_SUSPENDED,
    's18-fv#3': DELETED_SUSPENDED,
    's18-pend': DELETED_PENDING,
    's18-big': exits(1),
  },
  '19-logs': {
    's19-tick': OK,
    's19-odd': OK,
    's19-bin': OK,
    's19-long': OK,
    's19-100k': OK,
    's19-burst': exits(9),
    's19-del': ['Pending', 'Running', 'Killed Deleted 0'],
  },
  '19b-kubelet-restart': { 's19b-a': OK, 's19b-cat': OK },
  '19e-log-rotation': { 's19e-rot': OK },
  '21-metrics': { 's21-busy': DELETED_RUNNING, 's21-idle': DELETED_RUNNING },
  '23-preemption': { 's23-low': ['Pending', 'Running', 'Killed PreemptionByScheduler 0'], 's23-high': OK },
  '23b-node-notready': {
    's23b-long': ['Pending', 'Running', 'Killed Deleted 143'],
    's23b-tol': ['Pending', 'Running', 'Killed DeletionByTaintManager 143'],
    's23b-ends': exits(4),
    's23b-new': OK,
    's23b-new2': OK,
  },
  '24-fanout': {
    ...Object.fromEntries(['000', '025', '050', '075', '125', '150', '175'].map((number) => [`s24-${number}`, OK])),
    // Under this load its end is the first that the pod's status tells.
    's24-100': ['Pending', 'Finished Completed 0'],
  },
  '26-cancel-parallelism': {
    's26-pending': ['Pending', 'Canceled Canceled'],
    's26-nosched': ['Pending', 'Canceled Canceled'],
    's26-done': OK,
    's26-run': ['Pending', 'Running', 'Canceled Canceled'],
  },
  '27-result-annotation': { 's27-end': exits(3) },
  '28-sidecar': { 's28-side': exits(3) },
  '29-second-attach': { 's29-cat': DELETED_RUNNING },
  '30-kill-users': { 's30-user': KILLED, 's30-nocap': KILLED, 's30-two': KILLED, 's30-noshare': KILLED },
  '31-host-affinity': { 's31-here': OK, 's31-nowhere': DELETED_PENDING, 's31-nodename': DELETED_PENDING },
  '32-init-containers': { 's32-ok': OK, 's32-fail': ['Pending', 'Failed Error'], 's32-image': DELETED_PENDING },
  '35-native-sidecar': { 's35-native': exits(3) },
};

/** What the recorder did without writing it down as we do, and when. */
const CONTROLS: Readonly<Record<string, readonly [at: number, operation: 'stop' | 'kill']>> = {
  's08-plain': [3315, 'stop'],
  's08-trap0': [3326, 'stop'],
  's08-trap5': [3338, 'stop'],
  's08-ignore': [3365, 'stop'],
  's08-exec': [3405, 'stop'],
  's08b-semi': [13003, 'kill'],
  's08b-fast': [15339, 'stop'],
  's09-exec': [1986, 'kill'],
  's09-exec2': [2052, 'kill'],
  's09-grace0': [5034, 'kill'],
  's09-grace1': [6178, 'kill'],
  's09-term': [9513, 'kill'],
  's30-user': [1348, 'kill'],
  's30-nocap': [2648, 'kill'],
  's30-two': [3603, 'kill'],
  's30-noshare': [4503, 'kill'],
};
const FINISHED_3: JobResult = { state: 'Finished', statusCode: 'Error', exitCode: 3, message: '' };
const RESULTS: Readonly<Record<string, readonly [at: number, result: JobResult]>> = {
  's28-side': [8822, FINISHED_3],
  's27-end': [2996, FINISHED_3],
};

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
  const names = new Set(lines.map(({ object }) => object.name));
  for (const [name, [at, operation]] of Object.entries(CONTROLS))
    if (names.has(name)) add(name, at, { control: { operation, at: '', user: 'alice' } });
  for (const [name, [at, result]] of Object.entries(RESULTS)) if (names.has(name)) add(name, at, { result });
  return annotated;
}

const scenarios = new Map<string, Scenario>(
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

const tell = ({ outcome }: JobEntry): string => {
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
const AT_ONCE: Lateness = { jobs: () => 0, pods: () => 0, events: () => 0, reads: () => 0 };

/** What is announced of each job, in order. */
async function replay(scenario: Scenario, lateness: Lateness): Promise<Map<string, string[]>> {
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
  let reading = 0;

  const repository = createRepository({
    readAgain: (entry) => {
      reading++;
      return new Promise((resolve) => {
        schedule({ due: now + lateness.reads(), run: () => resolve(readJob(entry.job)) });
      });
    },
  });
  const jobs = new Store<JobView>(repository.onJob);
  const pods = new Store<ReturnType<typeof projectPod>>(repository.onPod);
  const events = new Store<ReturnType<typeof projectEvent>>(repository.onEvent);
  const undelivered = [...scenario.pods];

  /** The read gives everything up to this moment, and waits for the watch of pods. */
  function readJob(job: JobView): boolean {
    const known = scenario.jobs.filter((line) => line.object.uid === job.uid && line.at <= now);
    const last = known.at(-1);
    if (last !== undefined && !last.deleted) jobs.offer(last.object);
    while ((undelivered[0]?.at ?? Number.POSITIVE_INFINITY) <= now) deliverPod();
    reading--;
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

  const told = new Map<string, string[]>();
  const uids = [...new Set(scenario.jobs.map(({ object }) => object.uid))];
  const nameOf = new Map<string, string>();
  for (const uid of uids) {
    const name = scenario.jobs.find(({ object }) => object.uid === uid)?.object.name ?? '';
    const earlier = [...nameOf.values()].filter((other) => other.split('#')[0] === name).length;
    nameOf.set(uid, earlier === 0 ? name : `${name}#${earlier + 1}`);
  }
  repository.onChange((entry) => {
    const name = nameOf.get(entry.uid) ?? entry.id;
    const list = told.get(name) ?? [];
    const text = tell(entry);
    if (list.at(-1) !== text) told.set(name, [...list, text]);
  });
  repository.open();
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    now = step.due;
    const before = reading;
    step.run();
    if (reading > 0 || before > 0) for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
  return told;
}

function count(): { lines: number; states: number } {
  let lines = 0;
  for (const { jobs, pods, events } of scenarios.values()) lines += jobs.length + pods.length + events.length;
  const states = Object.values(EXPECTED).flatMap((jobs) => Object.values(jobs).flat()).length;
  return { lines, states };
}

t.test('every recorded scenario is told as it should be', async (t) => {
  t.strictSame([...scenarios.keys()].sort(), Object.keys(EXPECTED).sort(), 'all scenarios are there');
  for (const [name, scenario] of scenarios) {
    const told = await replay(scenario, AT_ONCE);
    t.strictSame(Object.fromEntries(told), EXPECTED[name], name);
  }
  const { lines, states } = count();
  t.comment(`${scenarios.size} scenarios, ${lines} watch lines, ${states} states`);
});

/** A small generator that can be seeded (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const SHUFFLES = 40;
const isTerminal = (text: string): boolean => TERMINAL_STATES.has(text.split(' ')[0] as JobState);

t.test('the order of the two watches does not matter', async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  const random = seeded(seed);
  for (const [name, scenario] of scenarios) {
    const expected = EXPECTED[name] ?? {};
    for (let shuffle = 0; shuffle < SHUFFLES; shuffle++) {
      const apart = [0, 50, 1000, 30_000][shuffle % 4] ?? 0;
      const late = (): (() => number) => {
        const base = random() * apart;
        return () => base + random() * 200;
      };
      const told = await replay(scenario, { jobs: late(), pods: late(), events: late(), reads: () => random() * 500 });
      for (const [job, states] of Object.entries(expected)) {
        const list = told.get(job) ?? [];
        // A label that comes back soon enough is no end.
        const ends = (all: readonly string[]): string => [...new Set(all.filter(isTerminal))].join();
        if (ends(list) !== ends(states) || list.at(-1) !== states.at(-1))
          t.fail(`${job}: ${list.join(' > ')}`, { expected: states.join(' > '), seed, shuffle, apart });
      }
    }
  }
  t.pass(`seed ${seed}, ${SHUFFLES} shuffles of each scenario`);
});

t.equal(readResult('{"state":"Finished","exitCode":3}')?.exitCode, 3, 'a result of another writer is understood');
