/** The benchmark's server, seen from the benchmark. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Order, Report, World } from './server.ts';

interface Busy<T> {
  readonly result: T;
  readonly busy: number;
  readonly requests: number;
}

export interface Server {
  readonly url: string;
  readonly pid: number;
  readonly have: (world: World) => Promise<void>;
  readonly change: (events: number, different: number, perSecond?: number) => Promise<void>;
  /** Runs something; reports which part of one core the server needed meanwhile, and how many requests it served. */
  readonly busyWhile: <T>(run: () => Promise<T>) => Promise<Busy<T>>;
  readonly close: () => void;
}

export async function startServer(): Promise<Server> {
  const child: ChildProcess = fork(join(import.meta.dirname, 'server.ts'));
  const waiting: ((report: Report) => boolean)[] = [];
  child.on('message', (report: Report) => {
    const index = waiting.findIndex((take) => take(report));
    if (index !== -1) waiting.splice(index, 1);
  });
  const ended = new Promise<never>((_, reject) => {
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  ended.catch(() => undefined);

  function report<D extends Report['did']>(did: D): Promise<Extract<Report, { did: D }>> {
    const told = new Promise<Extract<Report, { did: D }>>((resolve) => {
      waiting.push((one) => {
        if (one.did !== did) return false;
        resolve(one as Extract<Report, { did: D }>);
        return true;
      });
    });
    return Promise.race([told, ended]);
  }
  function order(what: Order): Promise<Report> {
    const told = report(what.do);
    child.send(what);
    return told;
  }
  async function usage(): Promise<Extract<Report, { did: 'usage' }>> {
    const told = report('usage');
    child.send({ do: 'usage' } satisfies Order);
    return told;
  }

  const { port } = await report('listen');
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    have: async (world) => void (await order({ do: 'have', world })),
    change: async (events, different, perSecond) => {
      const pace = perSecond === undefined ? {} : { perSecond };
      await order({ do: 'change', events, different, ...pace });
    },
    busyWhile: async (run) => {
      const before = await usage();
      const start = performance.now();
      const result = await run();
      const seconds = (performance.now() - start) / 1000;
      const after = await usage();
      return { result, busy: (after.cpu - before.cpu) / seconds, requests: after.requests - before.requests };
    },
    close: () => child.disconnect(),
  };
}
