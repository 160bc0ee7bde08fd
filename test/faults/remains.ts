/** What every run has to leave behind: one Job for a submit, input given once, no connection, a process that ends. */
import type { SimulatedCluster } from '../cluster/cluster.ts';
import type { Ending } from './instance.ts';
import type { Ledger } from './ledger.ts';
import type { JobRecord } from './record.ts';
import type { Wrong } from './tally.ts';

const MOST_MS_TO_END = 5_000;

/** How often each Job of an accepted submit was made: once. */
export function judgeMade({ journal }: SimulatedCluster, records: readonly JobRecord[], wrong: Wrong): void {
  const made = new Map<string, number>();
  for (const { kind, name } of journal.created) if (kind === 'Job') made.set(name, (made.get(name) ?? 0) + 1);
  for (const { id } of records) {
    if (id === undefined) continue;
    const count = made.get(id) ?? 0;
    if (count === 0) wrong('jobs missing', `${id} was never made`);
    if (count > 1) wrong('duplicate jobs', `${id} was made ${count} times`);
  }
}

/** No container got more input than its job has. */
export function judgeInput({ journal }: SimulatedCluster, records: readonly JobRecord[], wrong: Wrong): void {
  for (const { podUid, bytes } of journal.input) {
    const pod = journal.processes.find((process) => process.podUid === podUid)?.pod ?? '';
    const stdin = records.find(({ id }) => id !== undefined && pod.startsWith(`${id}-`))?.assignment.job['stdin'];
    if (typeof stdin === 'string' && bytes > stdin.length) {
      wrong('input doubled', `${pod} got ${bytes} bytes of ${stdin.length}`);
    }
  }
}

export function judgeConnections(connections: number, most: number, wrong: Wrong): void {
  if (connections <= most) return;
  wrong('sockets left', `${connections} connections, at most ${most} are needed`, connections);
}

export function judgeEnding({ name, code, ms }: Ending, wrong: Wrong): void {
  if (code === 0 && ms <= MOST_MS_TO_END) return;
  wrong('timers left', `${name} ended with ${code}, ${Math.round(ms)} ms after it was asked to`);
}

export function judgeGaps(ledger: Ledger, wrong: Wrong): void {
  if (ledger.gaps() > 0) wrong('states lost', `${ledger.gaps()} gaps in the numbers of the status stream`);
}

export function remarksOf(records: readonly JobRecord[]): readonly string[] {
  const refused = records.reduce((sum, { refusals }) => sum + refusals.length, 0);
  const readings = records.reduce((sum, one) => sum + one.readings.length, 0);
  return [
    `${readings} outputs read`,
    `${refused} submits refused`,
    `${records.filter(({ inputLost }) => inputLost).length} inputs lost and reported`,
  ];
}
