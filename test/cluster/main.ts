/**
 * `npm run cluster`: the simulated cluster in the foreground, on loopback, until Ctrl-C.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Arguments, HELP, readArguments, UsageError } from './arguments.ts';
import { startCluster } from './cluster.ts';
import { type Files, writeFiles } from './config.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function run({ cluster: options, rules, faults, files, metrics }: Arguments): Promise<void> {
  const cluster = await startCluster(options);
  cluster.access.setRules(rules(cluster.namespace));
  for (const fault of faults) cluster.faults.add(fault);
  if (metrics) cluster.setMetrics('present');

  const directory = files ?? temporaryDirectory();
  async function end(): Promise<void> {
    await cluster.close();
    if (files === undefined) rmSync(directory, { recursive: true, force: true });
  }
  let isEnding = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // More than one comes: Ctrl-C reaches npm and this process, and npm hands it on.
      if (!isEnding) void end();
      isEnding = true;
    });
  }

  let written: Files;
  try {
    written = writeFiles(directory, cluster);
  } catch (error) {
    await end();
    throw error;
  }
  process.stdout.write(
    [
      `Simulated cluster on ${cluster.url}, namespace ${cluster.namespace}, nodes ${[...cluster.kubelets.keys()].join(', ')}.`,
      'Serves jobs, pods (log, exec, attach, eviction), services, secrets, events, nodes, serviceaccounts, access reviews.',
      `Ctrl-C ends it and everything that runs in it${files === undefined ? ', and removes these files' : ''}.`,
      '',
      'The plugin on it:',
      `  dist/rstudio-kubernetes-launcher check --config-file=${written.configFile}`,
      'The integration tests on it, with npm run test:cluster and:',
      ...written.variables.map((line) => `  ${line}`),
      '',
    ].join('\n'),
  );
}

/** The plugin's user must be able to pass through. */
function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'simulated-cluster-files-'));
  chmodSync(path, 0o755);
  return path;
}

/** What went wrong, in a sentence. */
function sentence(error: unknown, port: number | undefined): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `port ${port} is used already: take another one, or leave --port out`;
  if (code === 'EACCES') return `port ${port} needs root: take one from 1024 on, or leave --port out`;
  return error.message;
}

function fail(what: string, exitCode: number): void {
  process.stderr.write(`npm run cluster: ${what}\n`);
  process.exitCode = exitCode;
}

try {
  const args = readArguments(process.argv.slice(2));
  if (args.help) process.stdout.write(HELP);
  else await run(args).catch((error: unknown) => fail(sentence(error, args.cluster.port), EXIT_FAILED));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  fail(`${error.message}\n\n${HELP.trimEnd()}`, EXIT_USAGE);
}
