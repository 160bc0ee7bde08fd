/** The built executable against the benchmark's server, with what the operating system says of it. */
import { createLauncher, type Launcher } from '../support/launcher.ts';
import { type PluginProcess, type PluginStart, startPlugin } from '../support/plugin.ts';
import { cpuSeconds, type Memory, memory } from './usage.ts';

interface MeasuredPlugin {
  readonly launcher: Launcher;
  readonly process: PluginProcess;
  readonly cpu: () => number;
  readonly memory: () => Memory;
}

/** Options that every start for a benchmark has. */
export function benchOptions(url: string): Readonly<Record<string, string>> {
  return { 'api-url': url, 'auth-token': 'bench', 'kubernetes-namespace': 'rstudio', 'log-level': 'WARNING' };
}

export async function startMeasured(url: string, start: PluginStart = {}): Promise<MeasuredPlugin> {
  const plugin = await startPlugin({ ...start, options: { ...benchOptions(url), ...start.options } });
  return {
    process: plugin,
    launcher: createLauncher(plugin.wire),
    cpu: () => cpuSeconds(plugin.pid),
    memory: () => memory(plugin.pid),
  };
}
