/** A list of all jobs is answered although some jobs are large: long values are shortened, the longest first. */
import t from 'tap';
import type { JobRequest } from '../../src/jobs/job.ts';
import { type Launcher, list, type Message, startLauncher } from './harness.ts';

const MB = 1_000_000;
const large = (length: number): Pick<JobRequest, 'environment'> => ({
  environment: [
    { name: 'LARGE', value: 'x'.repeat(length) },
    { name: 'SMALL', value: 'y'.repeat(1000) },
  ],
});

/** The jobs of the only answer. */
async function jobsOf(launcher: Launcher, request: Message): Promise<readonly Message[]> {
  launcher.send(request);
  const [text = '', ...others] = await launcher.texts();
  t.same(others, []);
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

t.test('[answer-shortened] a list of thousands of large jobs is answered', async (t) => {
  const launcher = await startLauncher();
  for (let id = 1; id <= 2000; id++) launcher.jobs.put({ id: `job-${id}`, ...large(MB) });
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
  t.match(await launcher.ask(list(2, 'job-2')), [
    { requestId: 2, errorCode: 2, errorMessage: /^the job does not fit into a message of 5242880 bytes/ },
  ]);
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
