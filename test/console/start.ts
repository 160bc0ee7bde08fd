/**
 * `npm start`: builds what is missing, starts the simulated cluster, starts the built executable on it exactly as a
 * launcher would, and talks to it: as a console in a terminal, else as a tour that exits non-zero if anything was not as
 * it should be.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { SECRETS } from '../cluster/api/resources.ts';
import { startCluster } from '../cluster/cluster.ts';
import { createLauncher } from '../support/launcher.ts';
import { type PluginProcess, startPlugin } from '../support/plugin.ts';
import { runConsole } from './console.ts';
import { printable } from './screen.ts';
import { tour } from './tour.ts';

const began = performance.now();
const interactive = process.stdin.isTTY && process.stdout.isTTY;
const color = process.stdout.isTTY && !process.env['NO_COLOR'];

function say(sentence: string): void {
  const seconds = `${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s`;
  console.log(`${color ? `\u001b[90m${seconds}\u001b[0m` : seconds}  ${printable(sentence)}`);
}

function detail(text: string): void {
  console.log(`          | ${printable(text)}`);
}

const build = spawnSync(process.execPath, [join(import.meta.dirname, '../../build/build.ts'), '--if-stale'], {
  stdio: ['ignore', 'pipe', 'inherit'],
  encoding: 'utf8',
});
if (build.status !== 0) {
  console.error(build.stdout);
  process.exit(1);
}
for (const line of build.stdout.trim().split('\n')) say(line);

const cluster = await startCluster({ programs: join(import.meta.dirname, '../../fixtures/images') });
cluster.store.create(SECRETS, {
  // What the sample job secrets-and-mounts.json reads.
  metadata: { name: 'warehouse', namespace: cluster.namespace },
  data: {
    username: Buffer.from('loader').toString('base64'),
    password: Buffer.from('correct horse').toString('base64'),
  },
});
say(`A simulated Kubernetes cluster listens on ${cluster.url}`);

async function start(): Promise<PluginProcess> {
  const plugin = await startPlugin({
    options: {
      'api-url': cluster.url,
      'auth-token': cluster.token,
      'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
      'kubernetes-namespace': cluster.namespace,
    },
  });
  const { version } = (await createLauncher(plugin.wire).bootstrap()) as { version?: Record<string, number> };
  say(
    `The plugin is process ${plugin.pid}, configured by ${plugin.directory.configFile}; ` +
      `it speaks API ${version?.['major']}.${version?.['minor']}.${version?.['patch']}`,
  );
  return plugin;
}

let plugin: PluginProcess | undefined;
try {
  plugin = await start();
  if (interactive) {
    const ended = plugin.exit.then(({ code, signal }) => `the plugin ended with ${signal ?? `exit code ${code}`}`);
    const launcher = createLauncher(plugin.wire);
    await runConsole(launcher, `Job Launcher console  ${cluster.url}`, process.stdin, process.stdout, ended);
  } else {
    // The launcher of the stage changes with each restart.
    let launcher = createLauncher(plugin.wire);
    await tour(
      {
        launcher: () => launcher,
        restart: async () => {
          await plugin?.close();
          plugin = await start();
          launcher = createLauncher(plugin.wire);
        },
      },
      { say, detail },
    );
    say('All of it was as it should be');
  }
} catch (error) {
  console.error(`This was not as it should be: ${error instanceof Error ? error.message : String(error)}`);
  console.error(plugin?.stderr() ?? '');
  console.error(plugin?.log().split('\n').slice(-30).join('\n') ?? '');
  process.exitCode = 1;
} finally {
  await plugin?.close();
  await cluster.close();
}
