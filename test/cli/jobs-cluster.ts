/** A simulated cluster with jobs, for the tests of the commands that show and control them. */
import type { Test } from 'tap';
import { JOBS } from '../cluster/api/resources.ts';
import { type SimulatedCluster, startCluster } from '../cluster/cluster.ts';
import { optionsFor } from '../cluster/config.ts';
import { createCaller, hasEnded, JOBS_PATH, until, untilPod } from '../cluster/testing.ts';
import { type Outcome, run, type Situation } from './harness.ts';

interface JobsCluster {
  readonly cluster: SimulatedCluster;
  readonly options: Readonly<Record<string, string>>;
  /** Creates the Job that `render` prints; its id. */
  readonly submit: (t: Test, job: object, user: string) => Promise<string>;
  readonly untilRunning: (id: string) => Promise<unknown>;
  readonly untilFailed: (id: string) => Promise<unknown>;
  readonly untilWaiting: (id: string, reason: string) => Promise<unknown>;
  readonly command: (t: Test, args: readonly string[], situation?: Situation) => Promise<Outcome>;
  readonly close: () => Promise<void>;
}

export async function startJobsCluster(): Promise<JobsCluster> {
  const cluster = await startCluster({ speed: 50 });
  const caller = createCaller(cluster);
  const options = optionsFor(cluster);
  return {
    cluster,
    options,
    submit: async (t, job, user) => {
      const { out, err } = await run(t, ['render', '-', '-o', 'json', '--server-dry-run', `--user=${user}`], {
        options,
        input: JSON.stringify(job),
      });
      t.equal(err, 'the API server accepts these objects (strict dry run)\n');
      const [rendered] = JSON.parse(out).items;
      t.equal((await caller.call('POST', JOBS_PATH, rendered)).status, 201);
      return rendered.metadata.name;
    },
    untilRunning: (id) =>
      untilPod(cluster, id, (pod) => pod.status.containerStatuses?.[0]?.state?.running !== undefined),
    untilFailed: async (id) => {
      await untilPod(cluster, id, hasEnded);
      await until(
        cluster,
        JOBS,
        ({ metadata, status }) =>
          metadata.name === id && status.conditions?.some(({ type }) => type === 'Failed') === true,
      );
    },
    untilWaiting: (id, reason) =>
      untilPod(cluster, id, (pod) => pod.status.containerStatuses?.[0]?.state?.waiting?.reason === reason),
    command: (t, args, situation = {}) => run(t, args, { ...situation, options: { ...options, ...situation.options } }),
    close: async () => {
      await caller.close();
      await cluster.close();
    },
  };
}
