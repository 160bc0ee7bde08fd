/**
 * The ordinary user: requests one after the other, with the time of each, and beside them the time of a request that goes
 * past the plugin, which shows how long the simulated cluster and this program take.
 */
import { eventually } from '../support/eventually.ts';
import type { Launcher } from '../support/launcher.ts';
import type { ClusterProcess } from './cluster-process.ts';

const USER = 'bob';
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

/** Requests of the ordinary user to one plugin, by kind. */
export type OrdinaryUser = Readonly<Record<Kind, () => Promise<Latency>>>;

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
  cluster: Pick<ClusterProcess, 'get'>,
  namespace: string,
  worked: () => number,
): Promise<OrdinaryUser> {
  const { id } = await launcher.submit(USER, { name: 'ordinary', command: 'echo text', container });
  await eventually(async () => (await launcher.job(USER, id)).status === 'Finished', `${id} is Finished`);
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const { items } = JSON.parse(await cluster.get(`${pods}?labelSelector=job-name%3D${id}`));
  const log = `${pods}/${items[0].metadata.name}/log`;
  let pending = '';

  const status = async (): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stream = launcher.status(USER, id, () => resolve(), reject);
    await promise.finally(() => stream.cancel());
  };
  const measured = (request: () => Promise<unknown>) => async (): Promise<Latency> => {
    const start = { wall: performance.now(), work: worked() };
    await request();
    return { wall: performance.now() - start.wall, work: worked() - start.work };
  };
  return {
    list: measured(() => launcher.jobs(USER, { statuses: ['Finished'] })),
    status: measured(status),
    output: measured(() => launcher.output(USER, id, () => {}).completed),
    submit: measured(async () => {
      pending = (await launcher.submit(USER, PENDING)).id;
    }),
    control: measured(() => launcher.control(USER, pending, 'cancel')),
    past: measured(() => cluster.get(log)),
  };
}
