/** What every case needs: a cluster, the built executable against it, users of its own, and nothing left behind. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Test } from 'tap';
import type { ClusterOptions, SimulatedCluster } from '../cluster/cluster.ts';
import { eventually, PATIENCE_MS } from '../support/eventually.ts';
import { createLauncher, type JobFrame, type Launcher, LauncherError, type StatusFrame } from '../support/launcher.ts';
import { type PluginProcess, startPlugin } from '../support/plugin.ts';
import { execute } from './api.ts';
import { type Cluster, openCluster } from './cluster.ts';

/** Of a program that was ended by KILL. */
const KILLED_CODE = 137;
const TERMINAL = new Set(['Finished', 'Failed', 'Killed', 'Canceled']);

export interface Plugin {
  readonly launcher: Launcher;
  readonly process: PluginProcess;
}

interface PluginMore {
  /** What the launcher calls it: on one host, plugins of one name are runs of one plugin. */
  readonly name?: string;
  /** Lines of the profiles file for all users. */
  readonly profile?: string;
}

/**
 * Where a command waits until the test lets it go on. A job that sleeps instead may have ended before the node has
 * reported that it runs.
 */
interface Gate {
  /** A command of the shell that ends when the gate is opened. */
  readonly wait: string;
  /** Resolves when the command of this job, which must run, goes on. */
  readonly open: (id: string) => Promise<void>;
}

export interface World {
  readonly cluster: Cluster;
  /** A user nobody else uses: its jobs are removed at the end. */
  readonly user: string;
  readonly other: string;
  readonly launcher: Launcher;
  /** One more plugin on the same cluster; it has answered Bootstrap. */
  readonly plugin: (options?: Readonly<Record<string, string>>, more?: PluginMore) => Promise<Plugin>;
  /** The first plugin of this world. */
  readonly first: Plugin;
  /** Submits for `user` with the cluster's image unless the job names one. */
  readonly submit: (job: Readonly<Record<string, unknown>>, launcher?: Launcher) => Promise<JobFrame>;
  /** Resolves with the first status that `wanted` accepts. */
  readonly until: (
    id: string,
    wanted: string | ((status: StatusFrame) => boolean),
    launcher?: Launcher,
  ) => Promise<StatusFrame>;
  /** Resolves when the output of the job, followed from its beginning, has this text. */
  readonly says: (id: string, text: string, launcher?: Launcher) => Promise<void>;
  readonly gate: () => Gate;
  /** Submits, waits for the end, and gives the job as it ended. */
  readonly run: (job: Readonly<Record<string, unknown>>) => Promise<JobFrame>;
  /** The whole output, after its end. */
  readonly text: (id: string, launcher?: Launcher) => Promise<string>;
  /**
   * The exit code that a container must have whose pod was ended by its deadline. Kubelets before 1.22 end the pod before its
   * container: they report the end of the container by chance only (143 for 1 of 60 pods on a busy node, without this plugin;
   * the others stay `running`), and may kill its processes within a second of TERM: `seen` stands then.
   */
  readonly stoppedCode: (seen: number | undefined, wanted: number) => number | undefined;
}

/**
 * Sets a world up and takes it down at the end of the test. `prepare` changes a simulated cluster before anything starts,
 * `simulation` says what it is like.
 */
export async function setUp(
  t: Test,
  options: Readonly<Record<string, string>> = {},
  prepare: (simulated: SimulatedCluster) => void = () => undefined,
  simulation: ClusterOptions = {},
): Promise<World> {
  const cluster = await openCluster(simulation);
  if (cluster.simulated !== undefined) prepare(cluster.simulated);
  t.comment(
    `${cluster.simulated === undefined ? 'cluster' : 'simulated cluster'} v1.${cluster.minor} at ${cluster.url}`,
  );
  const plugins: Plugin[] = [];
  const gates: string[] = [];
  const tag = randomBytes(3).toString('hex');
  const user = `it-${tag}`;
  const other = `it-${tag}-other`;

  t.teardown(async () => {
    const logs = plugins.map(({ process }) => process.log());
    await Promise.all(plugins.map((plugin) => plugin.process.close()));
    if (!t.passing()) t.comment(`what the plugins wrote: ${kept(user, logs)}`);
    if (cluster.simulated === undefined) await removeJobs(cluster, [user, other]);
    await cluster.close();
    // Containers of simulated nodes have the files of this machine.
    for (const path of gates) rmSync(path, { force: true });
  });

  const plugin: World['plugin'] = async (more = {}, { name = 'kubernetes', profile = '' } = {}) => {
    const process = await startPlugin({
      name,
      options: {
        'api-url': cluster.url,
        'auth-token': cluster.pluginToken,
        'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
        'kubernetes-namespace': cluster.namespace,
        ...options,
        ...more,
      },
      // A cluster without internet has its image already, but `busybox` alone means `busybox:latest`, pulled always.
      files: { [`launcher.${name}.profiles.conf`]: `[*]\nimage-pull-policy=IfNotPresent\n${profile}` },
    });
    const started = { process, launcher: createLauncher(process.wire, 2 * PATIENCE_MS) };
    plugins.push(started);
    await started.launcher.bootstrap();
    return started;
  };
  const first = await plugin();

  const submit: World['submit'] = (job, launcher = first.launcher) =>
    launcher.submit(user, { name: 'integration', container: { image: cluster.image }, tags: [tag], ...job });

  const until: World['until'] = async (id, wanted, launcher = first.launcher) => {
    // A job that another plugin has just made.
    await eventually(async () => (await launcher.jobs(user)).some((job) => job.id === id), `${id} is known`);
    return new Promise((resolve, reject) => {
      const accepts = typeof wanted === 'string' ? (status: StatusFrame) => status.status === wanted : wanted;
      const seen: string[] = [];
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        stream.cancel();
        settle();
      };
      const timer = setTimeout(
        () =>
          end(() => reject(new Error(`${id}: waited ${PATIENCE_MS / 1000} s for ${wanted}; saw ${seen.join(', ')}`))),
        PATIENCE_MS,
      );
      const stream = launcher.status(
        user,
        id,
        (status) => {
          seen.push(`${status.status} "${status.statusMessage}"`);
          if (accepts(status)) end(() => resolve(status));
          else if (TERMINAL.has(status.status)) {
            end(() => reject(new Error(`${id}: waited for ${wanted}; ended as ${seen.join(', ')}`)));
          }
        },
        (error) => end(() => reject(error)),
      );
    });
  };

  const says: World['says'] = async (id, text, launcher = first.launcher) => {
    let said = '';
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stream = launcher.output(user, id, (piece) => {
      said += piece;
      if (said.includes(text)) resolve();
    });
    stream.completed.then(
      () => reject(new Error(`${id}: waited for the output ${text}; it ended as ${said}`)),
      (error: unknown) => reject(error),
    );
    const timer = setTimeout(
      () => reject(new Error(`${id}: waited ${PATIENCE_MS / 1000} s for the output ${text}; saw ${said}`)),
      PATIENCE_MS,
    );
    await promise.finally(() => {
      clearTimeout(timer);
      stream.cancel();
    });
  };

  const gate: World['gate'] = () => {
    const path = `/tmp/${user}-${gates.length}`;
    gates.push(path);
    return {
      wait: `mkfifo ${path}; read _ < ${path}`,
      open: async (id) => {
        const { body } = await cluster.namespaced('GET', '', `pods?labelSelector=job-name%3D${id}`);
        const [pod] = body['items'] as { metadata: { name: string } }[];
        const command = `until [ -p ${path} ]; do sleep 0.05; done; echo > ${path}`;
        const podPath = `/api/v1/namespaces/${cluster.namespace}/pods/${pod?.metadata.name}`;
        await execute(cluster, podPath, 'rs-launcher-container', ['/bin/sh', '-c', command]);
      },
    };
  };

  return {
    cluster,
    user,
    other,
    launcher: first.launcher,
    first,
    plugin,
    submit,
    until,
    says,
    gate,
    run: async (job) => {
      const { id } = await submit(job);
      await until(id, (status) => TERMINAL.has(status.status));
      return first.launcher.job(user, id);
    },
    text: async (id, launcher = first.launcher) => {
      let text = '';
      await launcher.output(user, id, (piece) => {
        text += piece;
      }).completed;
      return text;
    },
    stoppedCode: (seen, wanted) => (cluster.minor < 22 && (seen === undefined || seen === KILLED_CODE) ? seen : wanted),
  };
}

/** Keeps the logs of the plugins of a test that failed; returns where. */
function kept(user: string, logs: readonly string[]): string {
  const directory = resolve(import.meta.dirname, '../../.tap/plugin-logs', user);
  mkdirSync(directory, { recursive: true });
  for (const [index, log] of logs.entries()) writeFileSync(join(directory, `${index}.log`), log);
  return directory;
}

/** Deletes the jobs that were made for these users, and their pods: old servers collect those late. */
async function removeJobs(cluster: Cluster, users: readonly string[]): Promise<void> {
  const selector = encodeURIComponent(
    `app.kubernetes.io/managed-by=launcher,job-launcher/user in (${users.join(',')})`,
  );
  for (const [group, plural] of [
    ['batch/v1', 'jobs'],
    ['', 'pods'],
  ] as const) {
    const listed = await cluster.namespaced('GET', group, `${plural}?labelSelector=${selector}`);
    const items = (listed.body['items'] ?? []) as { metadata: { name: string } }[];
    const how = { propagationPolicy: 'Background', gracePeriodSeconds: 0 };
    await Promise.all(
      items.map(({ metadata }) => cluster.namespaced('DELETE', group, `${plural}/${metadata.name}`, how)),
    );
  }
}

/** Expects an Error answer with this code (protocol section 9). */
export async function refused(t: Test, asked: Promise<unknown>, errorCode: number, what = ''): Promise<void> {
  const answer = await asked.catch((error: unknown) => error);
  t.equal(answer instanceof LauncherError ? answer.errorCode : answer, errorCode, what);
}
