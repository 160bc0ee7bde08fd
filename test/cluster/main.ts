/**
 * `npm run cluster`: the simulated cluster in the foreground, on loopback, until Ctrl-C.
 */
import { parseArgs } from 'node:util';
import { startCluster } from './cluster.ts';
import { launcherConfig, writeFiles } from './config.ts';
import type { Fault } from './faults/rules.ts';
import { FAULTS } from './faults/rules.ts';

const HELP = `Usage: npm run cluster -- [options]

Starts a simulated Kubernetes cluster on 127.0.0.1 and prints an options file for the plugin that works with it.
Containers are real processes of this machine, without isolation: do not run what you do not trust.

  --port N         port of the API server (default: any free one)
  --nodes N        number of nodes (default 1)
  --namespace NAME namespace of the launcher (default rstudio)
  --token TEXT     accept this text as the launcher's token (default: one is made)
  --speed N        scheduling, pulls and controllers N times as fast as the recorded cluster (default 1)
  --time-scale N   let grace periods and deadlines pass N times as fast (default 1)
  --fault NAME=P   put a fault in the way of requests with chance P (0 to 1); may be given more than once.
                   Names: ${Object.keys(FAULTS).join(', ')}
  --seed N         seed of those chances (default 1)
  --files DIR      write token, ca.crt and launcher.kubernetes.conf there and print the variables for npm run test:cluster
  --metrics        serve metrics.k8s.io
  --help           this text
`;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    nodes: { type: 'string' },
    namespace: { type: 'string' },
    token: { type: 'string' },
    speed: { type: 'string' },
    'time-scale': { type: 'string' },
    fault: { type: 'string', multiple: true },
    seed: { type: 'string' },
    files: { type: 'string' },
    metrics: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

async function main(): Promise<void> {
  if (values.help === true) {
    process.stdout.write(HELP);
    return;
  }
  const cluster = await startCluster({
    ...numberOption('port', values.port),
    ...numberOption('nodes', values.nodes),
    ...numberOption('speed', values.speed),
    ...numberOption('timeScale', values['time-scale']),
    ...numberOption('seed', values.seed),
    ...(values.namespace === undefined ? {} : { namespace: values.namespace }),
    ...(values.token === undefined ? {} : { token: values.token }),
  });
  for (const text of values.fault ?? []) cluster.faults.add({ ...faultOption(text), times: Number.POSITIVE_INFINITY });
  if (values.metrics === true) cluster.setMetrics('present');
  process.stdout.write(
    [
      `Simulated cluster on ${cluster.url}, namespace ${cluster.namespace}, nodes ${[...cluster.kubelets.keys()].join(', ')}.`,
      'Serves jobs, pods (log, exec, attach, eviction), services, secrets, events, nodes, serviceaccounts, access reviews.',
      'Ctrl-C ends it and everything that runs in it.',
      '',
      ...(values.files === undefined
        ? ['# launcher.kubernetes.conf', launcherConfig(cluster)]
        : [...writeFiles(values.files, cluster), '']),
    ].join('\n'),
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void cluster.close();
    });
  }
}

function numberOption(name: string, text: string | undefined): Record<string, number> {
  if (text === undefined) return {};
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} must be a number, not ${text}`);
  return { [name]: value };
}

function faultOption(text: string): { fault: Fault; chance: number } {
  const [name = '', chance = '1'] = text.split('=');
  const fault = Object.entries<Fault>(FAULTS).find(([known]) => known === name)?.[1];
  if (fault === undefined) throw new Error(`--fault: ${name} is not one of ${Object.keys(FAULTS).join(', ')}`);
  return { fault, chance: Number(chance) };
}

await main();
