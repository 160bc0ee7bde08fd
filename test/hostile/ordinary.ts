/**
 * The ordinary user: requests one after the other, with the time of each, and beside them the time of a request that goes
 * past the plugin, which shows how long the simulated cluster and this program take.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import type { Launcher } from '../support/launcher.ts';
import type { ClusterProcess } from './cluster-process.ts';

const USER = 'bob';
/** Between two requests. */
const PAUSE_MS = 2;

/** Each kind of request with the number of calls to the API server that it needs, one after the other. */
export const CALLS = { list: 0, status: 0, output: 2, submit: 1, control: 2, past: 1 } as const;

/** `past`: one call past the plugin. */
export type Kind = keyof typeof CALLS;

/** One request, in milliseconds. */
export interface Latency {
  readonly wall: number;
  /** What the plugin's event loop worked meanwhile: other processes of the machine do not change it. */
  readonly work: number;
}

export interface OrdinaryUser {
  /** One request of each kind; `note` gets the time of each. Rejects with the first error. */
  readonly round: (kinds: readonly Kind[], note: (kind: Kind, latency: Latency) => void) => Promise<void>;
}

const container = { image: 'busybox' };
/** No node is so large: this job stays Pending until it is canceled. */
const PENDING = {
  name: 'ordinary',
  command: 'true',
  container,
  resourceLimits: [{ type: 'cpuCount', value: '100000' }],
};

/** `worked`: milliseconds for which the plugin's event loop has worked. */
export async function ordinaryUser(
  launcher: Launcher,
  cluster: ClusterProcess,
  worked: () => number,
): Promise<OrdinaryUser> {
  const { id } = await launcher.submit(USER, { name: 'ordinary', command: 'echo text', container });
  await eventually(async () => (await launcher.job(USER, id)).status === 'Finished', `${id} is Finished`);
  const pods = `/api/v1/namespaces/${cluster.namespace}/pods`;
  const { items } = JSON.parse(await cluster.get(`${pods}?labelSelector=job-name%3D${id}`));
  const log = `${pods}/${items[0].metadata.name}/log`;
  let pending = '';

  const status = async (): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stream = launcher.status(USER, id, () => resolve(), reject);
    await promise.finally(() => stream.cancel());
  };
  const requests: Readonly<Record<Kind, () => Promise<unknown>>> = {
    list: () => launcher.jobs(USER, { statuses: ['Finished'] }),
    status,
    output: () => launcher.output(USER, id, () => {}).completed,
    submit: async () => {
      pending = (await launcher.submit(USER, PENDING)).id;
    },
    control: () => launcher.control(USER, pending, 'cancel'),
    past: () => cluster.get(log),
  };
  return {
    round: async (kinds, note) => {
      for (const kind of kinds) {
        const start = { wall: performance.now(), work: worked() };
        await requests[kind]();
        note(kind, { wall: performance.now() - start.wall, work: worked() - start.work });
        await sleep(PAUSE_MS);
      }
    },
  };
}
