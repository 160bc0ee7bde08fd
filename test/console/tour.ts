/** What `npm start` shows by itself, without a terminal. */
import type { Launcher, StatusFrame } from '../support/launcher.ts';
import { sample } from './samples.ts';

/** Where the tour speaks: `say` prints a step with its time, `detail` what belongs to it. */
interface Narrator {
  readonly say: (sentence: string) => void;
  readonly detail: (text: string) => void;
}

/** What the tour needs: a launcher that can be started again. */
interface TourStage {
  readonly launcher: () => Launcher;
  /** Ends the plugin as a launcher does and starts it anew on the same cluster. */
  readonly restart: () => Promise<void>;
}

const USER = 'jane';
const PATIENCE_MS = 60_000;

/** All states that one stream brought, and a way to wait for one. */
interface Watch {
  readonly seen: readonly StatusFrame[];
  readonly until: (what: string, wanted: (status: StatusFrame) => boolean) => Promise<StatusFrame>;
  readonly end: () => void;
}

function watch(launcher: Launcher, id: string): Watch {
  const seen: StatusFrame[] = [];
  const waiting = new Set<() => void>();
  const stream = launcher.status(USER, id, (status) => {
    seen.push(status);
    for (const check of waiting) check();
  });
  return {
    seen,
    until: (what, wanted) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(check);
          const states = seen.map((status) => `${status.status} "${status.statusMessage}"`).join(', ') || 'none';
          reject(new Error(`${what}: not within ${PATIENCE_MS / 1000} s; states seen: ${states}`));
        }, PATIENCE_MS);
        const check = (): void => {
          const found = seen.find(wanted);
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      }),
    end: stream.cancel,
  };
}

/** Fails with both values when they differ. */
function equal(what: string, found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  throw new Error(`${what}: found ${JSON.stringify(found)}, should be ${JSON.stringify(wanted)}`);
}

const inState =
  (state: string) =>
  (status: StatusFrame): boolean =>
    status.status === state;

/**
 * The product's main job, described as it happens: one job runs to its end, a session is stopped, a job is killed, one with
 * an image that does not exist is canceled; then the plugin is started again and shows the same jobs. Throws with the step that
 * was not as it should be.
 */
export async function tour(stage: TourStage, narrator: Narrator): Promise<void> {
  const launcher = stage.launcher();
  const info = await launcher.clusterInfo(USER);
  equal('cluster info: supportsContainers', info['supportsContainers'], true);
  narrator.say('The plugin answers: it runs jobs in containers');

  const finished = await runToEnd(launcher, narrator);
  const stopped = await stopSession(launcher, narrator);
  const killed = await killJob(launcher, narrator);
  const canceled = await cancelPending(launcher, narrator);

  await stage.restart();
  narrator.say('The plugin was ended and started again');
  const jobs = await stage.launcher().jobs(USER);
  const states = new Map(jobs.map((job) => [job.id, `${job.status} ${job.exitCode ?? '-'}`]));
  equal(
    'the four jobs after the restart',
    [finished, stopped, killed, canceled].map((id) => states.get(id)),
    ['Finished 0', 'Finished 143', 'Killed 137', 'Canceled -'],
  );
  narrator.say('It shows the same four jobs: Finished 0, Finished 143, Killed 137, Canceled');
}

async function submitted(launcher: Launcher, narrator: Narrator, job: Record<string, unknown>, words: string) {
  const { id, status } = await launcher.submit(USER, job);
  equal('state in the answer of the submit', status, 'Pending');
  narrator.say(`${words}: ${id} is Pending`);
  return { id, states: watch(launcher, id) };
}

async function runToEnd(launcher: Launcher, narrator: Narrator): Promise<string> {
  const { id, states } = await submitted(launcher, narrator, sample('shell.json'), 'A shell job is submitted');
  await states.until('the shell job runs', inState('Running'));
  narrator.say('It is Running');
  let text = '';
  await launcher.output(USER, id, (piece) => {
    text += piece;
    for (const line of piece.split('\n')) if (line !== '') narrator.detail(line);
  }).completed;
  equal('last line of the output', text.trimEnd().split('\n').at(-1), 'done');
  narrator.say('Its output is complete');
  await states.until('the shell job ends', inState('Finished'));
  equal('exit code', (await launcher.job(USER, id)).exitCode, 0);
  narrator.say('It is Finished with exit code 0');
  states.end();
  return id;
}

async function stopSession(launcher: Launcher, narrator: Narrator): Promise<string> {
  const { id, states } = await submitted(launcher, narrator, sample('r-session.json'), 'An R session is submitted');
  await states.until('the session runs', inState('Running'));
  const network = await launcher.network(USER, id);
  if (network.ipAddresses.length === 0) throw new Error('a running session without an address');
  narrator.say(`It is Running on ${network.host}, reached by ${network.ipAddresses.join(', ')}`);
  equal('answer of stop', await launcher.control(USER, id, 'stop'), { complete: true, message: '' });
  narrator.say('It is asked to stop');
  await states.until('the session ends', inState('Finished'));
  equal('exit code', (await launcher.job(USER, id)).exitCode, 143);
  narrator.say('It is Finished with exit code 143 (ended by TERM)');
  states.end();
  return id;
}

async function killJob(launcher: Launcher, narrator: Narrator): Promise<string> {
  const job = { name: 'stubborn', command: "trap '' TERM; while :; do sleep 1; done", container: { image: 'busybox' } };
  const { id, states } = await submitted(launcher, narrator, job, 'A job that ignores TERM is submitted');
  await states.until('the stubborn job runs', inState('Running'));
  equal('answer of kill', await launcher.control(USER, id, 'kill'), { complete: true, message: '' });
  narrator.say('It is killed');
  await states.until('the stubborn job ends', inState('Killed'));
  equal('exit code', (await launcher.job(USER, id)).exitCode, 137);
  narrator.say('It is Killed with exit code 137');
  states.end();
  return id;
}

async function cancelPending(launcher: Launcher, narrator: Narrator): Promise<string> {
  const job = sample('typo-in-image.json');
  const words = 'A job with an image that does not exist is submitted';
  const { id, states } = await submitted(launcher, narrator, job, words);
  const why = await states.until('the reason', (status) => /cannot|failed|no such host/.test(status.statusMessage));
  equal('state with the reason', why.status, 'Pending');
  narrator.say(`It stays Pending and says why: ${why.statusMessage}`);
  narrator.detail(
    'simulated, like the cluster: no registry was looked for, and nothing outside this machine was asked',
  );
  equal('answer of cancel', await launcher.control(USER, id, 'cancel'), { complete: true, message: '' });
  await states.until('the job is canceled', inState('Canceled'));
  narrator.say('It is Canceled');
  states.end();
  return id;
}
