/** The executable on a simulated cluster, greeted as a launcher does it. */
import type { Test } from 'tap';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import { optionsFor } from '../cluster/config.ts';
import { createLauncher, type Launcher } from '../support/launcher.ts';
import { type PluginProcess, type PluginStart, startPlugin } from '../support/plugin.ts';

interface Launched {
  readonly plugin: PluginProcess;
  readonly launcher: Launcher;
}

/** Starts it until the test ends; what `options` says wins over what leads to the cluster. */
export async function start(
  t: Test,
  cluster: SimulatedCluster,
  { options, ...more }: PluginStart = {},
): Promise<Launched> {
  const plugin = await startPlugin({
    ...more,
    options: { ...optionsFor(cluster), 'kubernetes-namespace': cluster.namespace, ...options },
  });
  t.teardown(plugin.close);
  const launcher = createLauncher(plugin.wire);
  await launcher.bootstrap();
  return { plugin, launcher };
}
