/** What the benchmark ran on. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly kernel: string;
  readonly node: string;
  readonly clientNode: string;
  /** Average number of busy processes in the last minute, before the benchmark began. */
  readonly load: number;
}

export function machineFacts(): Machine {
  const all = cpus();
  const packageFile = new URL('../../package.json', import.meta.url);
  const { devDependencies } = JSON.parse(readFileSync(packageFile, 'utf8'));
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGB: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    clientNode: devDependencies['@kubernetes/client-node'],
    load: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
  };
}
