/** A list of all jobs is answered although some jobs are large: long values are shortened, the longest first. */
import fc from 'fast-check';
import t from 'tap';
import type { Job, JobRequest } from '../../src/jobs/job.ts';
import { encodeJobs, type JobList } from '../../src/launcher/job-encoding.ts';
import { JsonText, writeJson } from '../../src/launcher/json-chunks.ts';
import { Pace } from '../../src/launcher/sliced-build.ts';
import { aJob } from './fake-jobs.ts';
import { type Launcher, list, type Message, startLauncher } from './harness.ts';

const MB = 1_000_000;
const large = (length: number): Pick<JobRequest, 'environment'> => ({
  environment: [
    { name: 'LARGE', value: 'x'.repeat(length) },
    { name: 'SMALL', value: 'y'.repeat(1000) },
  ],
});

async function answerOf(launcher: Launcher): Promise<string> {
  let texts: readonly string[] = [];
  while (texts.length === 0) texts = await launcher.texts();
  t.equal(texts.length, 1);
  return texts[0] ?? '';
}

/** The jobs of the only answer, which is built in many iterations of the event loop. */
async function jobsOf(launcher: Launcher, request: Message): Promise<readonly Message[]> {
  launcher.send(request);
  const text = await answerOf(launcher);
  t.ok(Buffer.byteLength(text) <= 5 * 1024 * 1024, `${Buffer.byteLength(text)} bytes`);
  return (JSON.parse(text) as { jobs: readonly Message[] }).jobs;
}

const values = ({ environment }: Message): readonly string[] =>
  (environment as { value: string }[]).map(({ value }) => value);

t.test(
  '[answer-shortened] four jobs of 1.4 MB: long values are cut with a mark, short ones are complete',
  async (t) => {
    const launcher = await startLauncher();
    for (let id = 1; id <= 4; id++) launcher.jobs.put({ id: `job-${id}`, ...large(1.4 * MB) });
    const jobs = await jobsOf(launcher, list(1));
    t.same(
      jobs.map(({ id }) => id),
      ['job-1', 'job-2', 'job-3', 'job-4'],
    );
    for (const job of jobs) {
      t.same(values(job), [`${'x'.repeat(262_144)}... (shortened from 1400000 characters)`, 'y'.repeat(1000)]);
    }
    await launcher.end();
  },
);

t.test('[answer-shortened] the longest values are cut first', async (t) => {
  const launcher = await startLauncher();
  for (let id = 1; id <= 4; id++) launcher.jobs.put({ id: `job-${id}`, ...large(1.4 * MB) });
  launcher.jobs.put({ id: 'job-5', ...large(200_000) });
  const jobs = await jobsOf(launcher, list(1));
  t.equal(values(jobs[4] ?? {})[0], 'x'.repeat(200_000));
  await launcher.end();
});

t.test('[answer-shortened] arguments, commands, metadata and init containers are cut, too', async (t) => {
  const launcher = await startLauncher();
  const long = 'z'.repeat(2 * MB);
  launcher.jobs.put({ id: 'job-1', args: [long] });
  launcher.jobs.put({ id: 'job-2', command: long });
  launcher.jobs.put({ id: 'job-3', metadata: { job: { note: long } } });
  launcher.jobs.put({
    id: 'job-4',
    initContainers: [{ name: 'i', image: 'r', command: '', exe: '', args: [long], mounts: [], environment: [] }],
  });
  const cut = `${'z'.repeat(262_144)}... (shortened from 2000000 characters)`;
  const jobs = await jobsOf(launcher, list(1));
  t.same(jobs[0]?.['args'], [cut]);
  t.equal(jobs[1]?.['command'], cut);
  t.same(jobs[2]?.['metadata'], { job: { note: cut } });
  t.match(jobs[3]?.['initContainers'], [{ args: [cut] }]);
  await launcher.end();
});

const many = <T>(count: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, index) => make(index));

t.test('[answer-shortened] long lists of short strings are cut after long strings', async (t) => {
  const launcher = await startLauncher();
  const args = many(50_000, (i) => `argument ${i}`);
  for (let id = 1; id <= 10; id++) launcher.jobs.put({ id: `job-${id}`, args, command: 'c'.repeat(64) });
  launcher.jobs.put({ id: 'small', args: many(4_096, (i) => `argument ${i}`) });
  const jobs = await jobsOf(launcher, list(1));
  t.equal(jobs.length, 11);
  const kept = many(4_096, (i) => `argument ${i}`);
  t.strictSame(jobs[0]?.['args'], [...kept, '... (shortened from 50000 items)']);
  t.equal(jobs[0]?.['command'], 'c'.repeat(64));
  t.strictSame(jobs.find(({ id }) => id === 'small')?.['args'], kept);
  await launcher.end();
});

t.test('[answer-shortened] the last variable, mount or entry of a list that was cut has the mark', async (t) => {
  const launcher = await startLauncher();
  const environment = many(10_000, (i) => ({ name: `VARIABLE_${i}`, value: 'v'.repeat(50) }));
  const labels = Object.fromEntries(many(6_000, (i) => [`key-${i}`, 'value']));
  for (let id = 1; id <= 10; id++) launcher.jobs.put({ id: `job-${id}`, environment, metadata: { job: { labels } } });
  const [job = {}] = await jobsOf(launcher, list(1));
  t.equal(values(job).length, 4_096);
  t.strictSame((job['environment'] as readonly unknown[]).at(-1), {
    name: 'VARIABLE_4095... (shortened from 10000 items)',
    value: 'v'.repeat(50),
  });
  const kept = (job['metadata'] as { job: { labels: Record<string, string> } }).job.labels;
  t.strictSame(Object.entries(kept).slice(-2), [
    ['key-4095', 'value'],
    ['...', '(shortened from 6000 entries)'],
  ]);
  await launcher.end();
});

t.test('[answer-shortened] any other long field is cut, id and user are complete', async (t) => {
  const launcher = await startLauncher();
  const user = 'u'.repeat(2_000);
  const marked = '... (shortened from 10000 items)';
  const fields = { host: 'h'.repeat(200_000), name: 'n'.repeat(30_000), tags: many(10_000, (i) => `tag ${i}`) };
  for (let id = 1; id <= 100; id++) launcher.jobs.put({ id: `job-${id}`, user, ...fields });
  const jobs = await jobsOf(launcher, { ...list(1), username: '*' });
  t.equal(jobs.length, 100);
  t.equal(jobs[0]?.['host'], `${'h'.repeat(1024)}... (shortened from 200000 characters)`);
  t.equal(jobs[0]?.['user'], user);
  const tags = jobs[0]?.['tags'] as readonly string[];
  t.strictSame([tags.length, ...tags.slice(0, 3)], [4_097, marked, 'tag 0', 'tag 1'], 'tags are sorted');
  await launcher.end();
});

t.test('[answer-shortened] fields that are asked for are cut likewise', async (t) => {
  const launcher = await startLauncher();
  for (let id = 1; id <= 10; id++) launcher.jobs.put({ id: `job-${id}`, ...large(1.3 * MB) });
  const [job = {}] = await jobsOf(launcher, { ...list(1), fields: ['env'] });
  t.strictSame(Object.keys(job), ['environment', 'id']);
  t.equal(values(job)[0], `${'x'.repeat(262_144)}... (shortened from 1300000 characters)`);
  await launcher.end();
});

t.test('[answer-shortened] a list of thousands of large jobs is answered', async (t) => {
  const launcher = await startLauncher();
  const fields = large(MB);
  for (let id = 1; id <= 2000; id++) launcher.jobs.put({ id: `job-${id}`, ...fields });
  const jobs = await jobsOf(launcher, list(1));
  t.equal(jobs.length, 2000);
  t.equal(values(jobs[0] ?? {})[0], `${'x'.repeat(1024)}... (shortened from 1000000 characters)`);
  await launcher.end();
});

t.test('[answer-shortened] the answer for one job is complete, or Error 2', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', ...large(4 * MB) });
  launcher.jobs.put({ id: 'job-2', ...large(6 * MB) });
  const [job = {}] = await jobsOf(launcher, list(1, 'job-1'));
  t.equal(values(job)[0]?.length, 4 * MB);
  launcher.send(list(2, 'job-2'));
  t.match(JSON.parse(await answerOf(launcher)), {
    requestId: 2,
    errorCode: 2,
    errorMessage: /^the job does not fit into a message of 5242880 bytes/,
  });
  await launcher.end();
});

t.test('[answer-shortened] an answer of one byte more than a message is Error 2', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', ...large(1000) });
  launcher.send(list(1, 'job-1'));
  const [small = ''] = await launcher.texts();
  const rest = Buffer.byteLength(small) - 1000;
  launcher.jobs.put({ id: 'job-1', ...large(5_242_881 - rest) });
  launcher.send(list(2, 'job-1'));
  t.match(JSON.parse(await answerOf(launcher)), { requestId: 2, errorCode: 2 });
  launcher.jobs.put({ id: 'job-1', ...large(5_242_881 - rest - 200) });
  t.equal((await jobsOf(launcher, list(3, 'job-1'))).length, 1);
  await launcher.end();
});

t.test('[answer-shortened] a list that fits is complete', async (t) => {
  const launcher = await startLauncher();
  for (let id = 1; id <= 3; id++) launcher.jobs.put({ id: `job-${id}`, ...large(1.3 * MB) });
  const jobs = await jobsOf(launcher, list(1));
  t.same(
    jobs.map((job) => values(job)[0]?.length),
    [1_300_000, 1_300_000, 1_300_000],
  );
  await launcher.end();
});

t.test('[answer-shortened] names of large objects are read once, not for each list', async (t) => {
  const launcher = await startLauncher();
  let reads = 0;
  const entries = Array.from({ length: 5_000 }, (_, i): [string, string] => [`name-${i}`, 'x'.repeat(100)]);
  for (let id = 1; id <= 20; id++) {
    const annotations = new Proxy(Object.fromEntries(entries), {
      ownKeys: (target) => {
        reads++;
        return Reflect.ownKeys(target);
      },
    });
    launcher.jobs.put({ id: `job-${id}`, metadata: { job: { annotations } } });
  }
  const [first] = await jobsOf(launcher, list(1));
  t.match(first, {
    metadata: { job: { annotations: { 'name-0': 'x'.repeat(64), '...': '(shortened from 5000 entries)' } } },
  });
  const before = reads;
  t.ok(before <= 20, `${before} reads`);
  t.equal((await jobsOf(launcher, list(2))).length, 20);
  t.equal(reads, before);
  await launcher.end();
});

const context = { maxMessageSize: 5 * 1024 * 1024, minor: 10, fields: [] };
const skipped = (_: unknown, error: unknown): never => {
  throw error;
};

/** Builds the list, calls `between` at each pause, and returns its jobs and the number of pauses. */
function built(
  list: JobList,
  between: (pause: number) => void = () => {},
): { jobs: readonly Message[]; pauses: number } {
  const build = encodeJobs(list, context, skipped);
  for (let pauses = 0; ; pauses++) {
    const { done, value } = build.next();
    if (done === true) return { jobs: JSON.parse(`[${value.map(String).join('')}]`), pauses };
    between(pauses + 1);
  }
}

/** A list of jobs, and what changes one of them. */
function changing(jobs: readonly Job[], accepts = (_: Job): boolean => true) {
  const listeners = new Set<(job: Job) => void>();
  const onChange = (listener: (job: Job) => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const change = (job: Job): void => {
    for (const listener of listeners) listener(job);
  };
  return { list: { jobs, accepts, onChange }, change, listeners };
}

const numbered = (count: number, more: Partial<Job> = {}): readonly Job[] =>
  many(count, (index) => aJob({ id: `job-${1000 + index}`, ...more }));

t.test('[flow-shares] while the list of one user is built, another user is answered', async (t) => {
  const launcher = await startLauncher();
  for (let id = 1; id <= 4; id++) launcher.jobs.put({ id: `job-${id}`, user: 'alice', ...large(MB) });
  launcher.jobs.put({ id: 'job-5', user: 'bob' });
  launcher.send(list(1), list(2), { ...list(3), username: 'bob' }, list(4, 'job-9'));
  const ids: unknown[] = [];
  while (ids.length < 4) ids.push(...(await launcher.received()).map(({ requestId }) => requestId));
  t.strictSame(ids, [3, 1, 2, 4], 'those of one user in order');
  await launcher.end();
});

t.test('[flow-shares] a list of 5 MB pauses after each 256 KiB, also within a job', async (t) => {
  const cases = [
    { value: 'x'.repeat(1.2 * MB), least: 17 },
    { value: '"\n'.repeat(0.3 * MB), least: 17 },
    { value: '😀'.repeat(0.3 * MB), least: 8 },
  ];
  for (const { value, least } of cases) {
    const jobs = numbered(4, { environment: [{ name: 'LARGE', value }] });
    const { jobs: found, pauses } = built(changing(jobs).list);
    t.ok(found.length === 4 && found.every((job) => values(job)[0] === value));
    t.ok(pauses >= least, `${pauses} pauses`);
  }
  const environment = many(10_000, (index) => ({ name: `VARIABLE_${index}`, value: 'v'.repeat(60) }));
  const jobs = numbered(4, { environment });
  const { jobs: found, pauses } = built(changing(jobs).list);
  t.strictSame(found[3]?.['environment'], environment);
  t.ok(pauses >= 12, `${pauses} pauses`);
  t.ok(built(changing(numbered(10_000)).list).pauses >= 20);
});

t.test('[flow-shares] a list that is built in slices has each job in its state at the end', async (t) => {
  const jobs = numbered(2_000);
  const { list, change, listeners } = changing(jobs, ({ status }) => status !== 'Failed');
  const states = (found: readonly Message[]): unknown[] => [
    jobs.length - found.length,
    ...new Set(found.map(({ status }) => status)),
  ];
  t.strictSame(states(built(list).jobs), [0, 'Pending']);
  const half = built(list, (pause) => {
    if (pause === 2) for (const job of jobs) change({ ...job, status: 'Running' });
    if (pause === 4) for (const job of jobs.slice(0, 10)) change({ ...job, status: 'Failed' });
  });
  t.strictSame(states(half.jobs), [10, 'Running']);
  t.strictSame(
    half.jobs.map(({ id }) => id),
    jobs.slice(10).map(({ id }) => id),
  );
  t.equal(listeners.size, 0);
});

t.test('[flow-shares] a list ends, however often its jobs change', async (t) => {
  const jobs = numbered(500, { tags: many(100, (index) => `tag ${index}`) });
  const { list, change, listeners } = changing(jobs);
  let last = '';
  const { jobs: found } = built(list, (pause) => {
    last = `${pause}`;
    for (const job of jobs) change({ ...job, statusMessage: last });
  });
  t.strictSame([...new Set(found.map(({ statusMessage }) => statusMessage))], [last]);
  t.equal(listeners.size, 0);
});

t.test('[flow-shares] a job that changes with each slice of it ends in its last state', async (t) => {
  const [job = aJob({ id: 'job-1' })] = numbered(1, large(MB));
  const { list, change } = changing([job]);
  let last = '';
  const { jobs: found } = built(list, (pause) => {
    last = `${pause}`;
    change({ ...job, statusMessage: last });
  });
  t.match(found, [{ statusMessage: last }]);
});

t.test('JSON in chunks is the JSON of JSON.stringify', async () => {
  const long = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).map((text) => text.repeat(2_000));
  const value = fc.oneof(
    long,
    fc.array(long, { maxLength: 5 }),
    fc.dictionary(fc.string(), fc.oneof(long, fc.jsonValue())),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), (object) => {
      const json = new JsonText();
      const pace = new Pace();
      for (const _ of writeJson(object, json, pace));
      json.end();
      return json.chunks.map(String).join('') === JSON.stringify(object);
    }),
    { numRuns: 100 },
  );
});
