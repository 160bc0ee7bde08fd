/** The jobs of a run: what they do, what is done to them, and how they have to end. */
import type { Generation } from './foreign.ts';
import { type Ending, writing, written } from './texts.ts';

/** What the driver does to a job once it is in a state. */
export type Action =
  | 'stop'
  | 'kill'
  | 'cancel'
  | 'evict'
  | 'delete-pod'
  | 'delete-job'
  | 'suspend'
  | 'end-unseen'
  | 'give-address';

interface Expected {
  readonly state: 'Finished' | 'Failed' | 'Killed' | 'Canceled';
  readonly statusCode?: string;
}

export interface Assignment {
  readonly name: string;
  readonly kind: string;
  /** Fields of the submit's job, beside user, name and container. */
  readonly job: Readonly<Record<string, unknown>>;
  readonly action?: Action;
  /** Another plugin creates it. */
  readonly adopted?: Generation;
  readonly expected: Expected;
  /** The first `bytes` of what it writes. */
  readonly text: (bytes: number) => string;
}

interface Kind {
  readonly kind: string;
  /** How many of a hundred. */
  readonly share: number;
  readonly action?: Action;
  readonly adopted?: Generation;
  readonly expected: Expected;
  readonly ending?: Ending;
  readonly job: (name: string, random: () => number) => Readonly<Record<string, unknown>>;
  /** Where what it writes is not of its own making. */
  readonly text?: (name: string, bytes: number) => string;
}

const between = (random: () => number, least: number, most: number): number =>
  least + Math.floor(random() * (most - least + 1));
const code = (random: () => number): string => `exit ${between(random, 0, 5)}`;
const ENDLESS = (name: string) => ({ command: writing(name, '\n', 'endless', 0.3) });
const SOME_LINES = (name: string, random: () => number) => ({
  command: `${writing(name, '\n', between(random, 12, 20), 0.25)}; ${code(random)}`,
});
const input = (name: string): string => written(name, '\n', 4_000);

/** Ends by itself: its exit code is in the journal. */
const FINISHED: Expected = { state: 'Finished' };

const KINDS: readonly Kind[] = [
  {
    kind: 'many lines',
    share: 24,
    expected: FINISHED,
    job: (name, random) => ({ command: `${writing(name, '\n', between(random, 20, 600))}; ${code(random)}` }),
  },
  {
    kind: 'slow lines',
    share: 22,
    expected: FINISHED,
    job: (name, random) => ({ command: `${writing(name, '\n', between(random, 3, 20), 0.25)}; ${code(random)}` }),
  },
  {
    kind: 'one long line without end',
    share: 8,
    expected: FINISHED,
    ending: ';',
    job: (name, random) => ({ command: `${writing(name, ';', between(random, 300, 1500))}; ${code(random)}` }),
  },
  {
    kind: 'steady lines',
    share: 4,
    expected: FINISHED,
    job: (name, random) => ({ command: `${writing(name, '\n', 100, 0.25)}; ${code(random)}` }),
  },
  {
    kind: 'quiet',
    share: 6,
    expected: FINISHED,
    job: (name) => ({ command: writing(name, '\n', 2, 3) }),
  },
  {
    kind: 'kills itself',
    share: 5,
    expected: FINISHED,
    job: (name) => ({ command: `${writing(name, '\n', 5)}; kill -KILL $$` }),
  },
  {
    kind: 'cannot start',
    share: 4,
    expected: { state: 'Failed', statusCode: 'StartError' },
    job: () => ({ exe: '/no/such/program' }),
  },
  {
    kind: 'with a port',
    share: 4,
    expected: FINISHED,
    job: (name, random) => ({
      command: `${writing(name, '\n', 4, 0.5)}; ${code(random)}`,
      exposedPorts: [{ targetPort: 8080, protocol: 'TCP' }],
    }),
  },
  {
    kind: 'with input',
    share: 3,
    expected: FINISHED,
    job: (name) => ({ exe: '/bin/cat', stdin: input(name) }),
    text: (name, bytes) => input(name).slice(0, bytes),
  },
  { kind: 'stopped', share: 6, action: 'stop', expected: { state: 'Finished', statusCode: 'Stopped' }, job: ENDLESS },
  { kind: 'killed', share: 6, action: 'kill', expected: { state: 'Killed', statusCode: 'Killed' }, job: ENDLESS },
  {
    kind: 'canceled',
    share: 4,
    action: 'cancel',
    expected: { state: 'Canceled', statusCode: 'Canceled' },
    job: (name) => ({ ...ENDLESS(name), host: 'no-such-node' }),
  },
  { kind: 'evicted', share: 2, action: 'evict', expected: { state: 'Killed', statusCode: 'Evicted' }, job: ENDLESS },
  { kind: 'pod deleted', share: 3, action: 'delete-pod', expected: { state: 'Killed' }, job: ENDLESS },
  {
    kind: 'job deleted',
    share: 3,
    action: 'delete-job',
    expected: { state: 'Killed', statusCode: 'Deleted' },
    job: ENDLESS,
  },
  { kind: 'adopted', share: 2, adopted: 'Job labeled', expected: FINISHED, job: SOME_LINES },
  { kind: 'adopted with a pod label', share: 1, adopted: 'Job and pod labeled', expected: FINISHED, job: SOME_LINES },
  { kind: 'adopted with a Service', share: 1, adopted: 'with a Service', expected: FINISHED, job: SOME_LINES },
  {
    kind: 'adopted and killed',
    share: 1,
    adopted: 'Job labeled',
    action: 'kill',
    expected: { state: 'Killed', statusCode: 'Killed' },
    job: ENDLESS,
  },
  {
    kind: 'suspended and resumed',
    share: 2,
    action: 'suspend',
    expected: FINISHED,
    job: (name, random) => ({
      // The client that resumes it sets the variable.
      command: `if [ -z "$RESUMED" ]; then ${writing(name, '\n', 'endless', 0.3)}; fi; ${SOME_LINES(name, random).command}`,
    }),
  },
  {
    kind: 'ended unseen',
    share: 2,
    action: 'end-unseen',
    expected: { state: 'Finished', statusCode: 'Completed' },
    job: (name) => ({ command: `trap "exit 0" TERM; ${writing(name, '\n', 'endless', 0.3)}` }),
  },
  {
    kind: 'with a late address',
    share: 1,
    action: 'give-address',
    expected: { state: 'Killed', statusCode: 'Killed' },
    job: (name) => ({ ...ENDLESS(name), exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] }),
  },
];

const SESSION_PAUSE_S = 3;

/** A job that writes a line now and then for this number of seconds. */
export function session(index: number, random: () => number, seconds: number): Assignment {
  const lines = Math.max(1, Math.round(seconds / SESSION_PAUSE_S));
  const job = (name: string) => ({ command: `${writing(name, '\n', lines, SESSION_PAUSE_S)}; ${code(random)}` });
  return assigned({ kind: 'session', share: 0, expected: FINISHED, job }, index, random);
}

/** The first kinds come one after the other, so that small runs have all of them, then by their shares. */
export function assignment(index: number, random: () => number): Assignment {
  return assigned(KINDS[index] ?? drawn(random), index, random);
}

/** In a soak, what part of the jobs another plugin creates. */
const ADOPTED = 0.1;

/** The first kinds come one after the other, then by their shares, and one of ten is adopted. */
export function steadyAssignment(index: number, random: () => number): Assignment {
  const isAdopted = random() < ADOPTED;
  const kinds = KINDS.filter(({ adopted }) => (adopted !== undefined) === isAdopted);
  return assigned(KINDS[index] ?? drawn(random, kinds), index, random);
}

function assigned(kind: Kind, index: number, random: () => number): Assignment {
  const name = `f${String(index).padStart(4, '0')}`;
  return {
    name,
    kind: kind.kind,
    job: kind.job(name, random),
    expected: kind.expected,
    text: (bytes) => kind.text?.(name, bytes) ?? written(name, kind.ending ?? '\n', bytes),
    ...(kind.action === undefined ? {} : { action: kind.action }),
    ...(kind.adopted === undefined ? {} : { adopted: kind.adopted }),
  };
}

function drawn(random: () => number, kinds = KINDS): Kind {
  let left = random() * kinds.reduce((sum, { share }) => sum + share, 0);
  for (const kind of kinds) {
    left -= kind.share;
    if (left < 0) return kind;
  }
  throw new Error('BUG: shares that do not add up');
}
