/** Input is delivered at most once, whoever dies when; if not at all, the job says why (kubernetes-objects.md 4). */
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { FaultRule } from '../cluster/faults/rules.ts';
import { eventually, PATIENCE_MS } from '../support/eventually.ts';
import { type Plugin, setUp, type World } from './harness.ts';

const onCluster = process.env['TEST_ON'] === 'cluster';
const INPUT = Array.from({ length: 20_000 }, (_, line) => `line ${line} of the input\n`).join('');
const LOST = 'its input was lost';
const CUT = 'its input may have been cut';
const END = '--- end of input\n';
/** Reads all of its input, says so, and goes on. */
const READER = `cat; echo '${END.trim()}'; while :; do sleep 1; done`;
// Each test on a simulation has a cluster in this process, which reads and writes the input many times.
t.jobs = onCluster ? 8 : 3;

/** What the job says of its input: '' once all of it was read, or as soon as there is a message. */
async function outcome({ launcher }: Plugin, user: string, id: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  let message = '';
  const done = (): void => {
    if (text === INPUT + END || message === LOST || message === CUT) resolve(message);
  };
  const status = launcher.status(user, id, (seen) => {
    message = seen.statusMessage;
    done();
  });
  const output = launcher.output(user, id, (piece) => {
    text += piece;
    done();
  });
  output.completed.catch(reject);
  const timer = setTimeout(() => reject(new Error(`${id}: ${text.length} characters, "${message}"`)), PATIENCE_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    status.cancel();
    output.cancel();
  }
}

/** Ends the job and gives everything it ever read. */
async function readAltogether(world: World, plugin: Plugin, id: string): Promise<string> {
  await world.until(id, 'Running', plugin.launcher);
  await plugin.launcher.control(world.user, id, 'kill');
  await world.until(id, 'Killed', plugin.launcher);
  return (await world.text(id, plugin.launcher)).replace(END, '');
}

t.test('killed some time after the submit: once, or cut and said so', async (t) => {
  const world = await setUp(t);
  const moments = [0, 600, 1_500];
  await Promise.all(
    moments.map(async (ms) => {
      const name = `m${ms}`;
      const before = await world.plugin({}, { name });
      const { id } = await world.submit({ command: READER, stdin: INPUT }, before.launcher);
      await sleep(ms);
      before.process.kill('SIGKILL');
      const after = await world.plugin({}, { name });
      const message = await outcome(after, world.user, id);
      const read = await readAltogether(world, after, id);
      t.comment(`killed after ${ms} ms: ${read.length} of ${INPUT.length} characters, "${message}"`);
      t.ok(INPUT.startsWith(read), 'nothing twice');
      if (message !== CUT) t.equal(read.length, INPUT.length, `all of it after ${ms} ms`);
    }),
  );
});

interface Step {
  readonly killed: string;
  /** What the plugin has begun, and never gets an answer to, when it is killed. */
  readonly at: FaultRule;
  /** Whether the request has been carried out when it is killed. */
  readonly carriedOut?: (world: World, id: string) => Promise<boolean>;
  readonly read: string;
  readonly message: string;
}

const silent = { type: 'stall', bytes: 0 } as const;
const before = { type: 'resetBeforeWork' } as const;
const secretIsThere = async ({ cluster }: World, id: string): Promise<boolean> =>
  (await cluster.namespaced('GET', '', `secrets/${id}-stdin`)).status === 200;
const isClaimed = async ({ cluster }: World, id: string): Promise<boolean> =>
  JSON.stringify((await cluster.namespaced('GET', 'batch/v1', `jobs/${id}`)).body).includes('"job-launcher/stdin":');

const STEPS: readonly Step[] = [
  {
    killed: 'before the Secret is made',
    at: { method: 'POST', path: /\/secrets/, fault: before },
    read: '',
    message: LOST,
  },
  {
    killed: 'before the submit is answered',
    at: { method: 'POST', path: /\/secrets/, fault: silent },
    carriedOut: secretIsThere,
    read: INPUT,
    message: '',
  },
  {
    killed: 'before the claim',
    at: { method: 'PATCH', path: /\/jobs\//, fault: before },
    read: INPUT,
    message: '',
  },
  {
    killed: 'after the claim',
    at: { method: 'PATCH', path: /\/jobs\//, fault: silent },
    carriedOut: isClaimed,
    read: '',
    message: CUT,
  },
  {
    killed: 'before the attach',
    at: { method: 'GET', path: /\/attach/, fault: before },
    read: '',
    message: CUT,
  },
  {
    killed: 'before the Secret is deleted',
    at: { method: 'DELETE', path: /\/secrets\//, fault: before },
    read: INPUT,
    message: CUT,
  },
];

for (const { killed, at, carriedOut, read, message } of STEPS) {
  t.test(`killed ${killed}`, { skip: onCluster && 'requests of a real cluster cannot be held' }, async (t: Test) => {
    const world = await setUp(t);
    const cluster = world.cluster.simulated;
    if (cluster === undefined) throw new Error('this needs the simulated cluster');
    // An answer that is held may have been a conflict: it is tried again soon. A submit that is not answered in time deletes
    // its Job, so its requests wait for longer than a busy machine takes to kill the plugin.
    const seconds = at.method === 'PATCH' ? '5' : '60';
    const dying = await world.plugin({ 'request-timeout-seconds': seconds }, { name: 'dying' });
    const fault = cluster.faults.add({ times: 1_000, ...at });
    const submit = () => world.submit({ command: READER, stdin: INPUT }, dying.launcher).catch(() => undefined);
    // A busy server refuses the submit after those 5 s; then nothing is left of it.
    const submitted = at.method === 'PATCH' ? eventually(submit, 'the submit') : submit();
    await eventually(() => fault.hits() > 0, 'the moment');
    const id = await eventually(async () => (await world.launcher.jobs(world.user))[0]?.id, 'the job');
    await eventually(async () => carriedOut === undefined || (await carriedOut(world, id)), 'the work');
    dying.process.kill('SIGKILL');
    await dying.process.exit;
    // What it had sent has reached the server before this does, and shares its fate.
    await world.cluster.namespaced('GET', 'batch/v1', `jobs/${id}`);
    fault.remove();
    await submitted;
    const next = await world.plugin({}, { name: 'dying' });
    if (message === '') t.equal(await outcome(next, world.user, id), '');
    else await world.until(id, ({ statusMessage }) => statusMessage === message, next.launcher);
    const all = await readAltogether(world, next, id);
    t.equal(all.length, read.length);
    t.ok(all === read, 'to the letter');
  });
}

t.test('killed in the middle of the input', { skip: onCluster && 'where the middle is cannot be seen' }, async (t) => {
  const world = await setUp(t);
  const cluster = world.cluster.simulated;
  if (cluster === undefined) throw new Error('this needs the simulated cluster');
  const dying = await world.plugin({}, { name: 'dying' });
  const rest = world.gate();
  const slowly = `head -c 100; ${rest.wait}; ${READER}`;
  const { id } = await world.submit({ command: slowly, stdin: INPUT }, dying.launcher);
  await eventually(() => cluster.journal.input.some(({ bytes }) => bytes > 0), 'some input has come');
  dying.process.kill('SIGKILL');
  await dying.process.exit;
  const next = await world.plugin({}, { name: 'dying' });
  await world.until(id, ({ statusMessage }) => statusMessage === CUT, next.launcher);
  await rest.open(id);
  await world.says(id, END, next.launcher);
  t.ok(INPUT.startsWith(await readAltogether(world, next, id)), 'nothing twice');
});
