/** The integration suite on a simulated cluster in a process of its own, which is reached as any other: by its variables. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const directory = mkdtempSync(join(tmpdir(), 'everything-cluster-'));
// The plugin's user must be able to pass through.
chmodSync(directory, 0o755);
const files = join(directory, 'files');
const cluster = spawn('npm', ['run', 'cluster', '--', '--files', files], { stdio: ['ignore', 'pipe', 'inherit'] });
let suite: ChildProcess | undefined;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    suite?.kill(signal);
    cluster.kill(signal);
  });
}

try {
  const variables = await variablesOf(cluster);
  suite = spawn('npm', ['run', 'test:cluster'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...variables, CLUSTER_IMAGE: 'busybox' },
  });
  process.exitCode = await exitCode(suite);
} finally {
  cluster.kill('SIGTERM');
  await exitCode(cluster);
  rmSync(directory, { recursive: true, force: true });
}

/** The variables that it prints as soon as it listens. */
async function variablesOf({ stdout }: typeof cluster): Promise<Readonly<Record<string, string>>> {
  const variables: Record<string, string> = {};
  for await (const line of createInterface({ input: stdout })) {
    console.log(line);
    const [, name, value] = /^ *(CLUSTER_\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) variables[name] = value;
    if (name === 'CLUSTER_NAMESPACE') return variables;
  }
  throw new Error('the simulated cluster ended before it listened');
}

function exitCode(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode ?? 1);
  return new Promise((resolve) => {
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
