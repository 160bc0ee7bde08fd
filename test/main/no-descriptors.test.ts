/** The plugin when it has no file descriptor left: it goes on, and says less. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startEmptyCluster } from '../support/empty-cluster.ts';
import { createLauncher } from '../support/launcher.ts';
import { BUNDLE, startPlugin, writeConfig } from '../support/plugin.ts';

const cluster = await startEmptyCluster();
t.teardown(cluster.close);

t.test('the use of memory is unknown (0), the report is written, and the plugin stays', async (t) => {
  const directory = writeConfig({ options: { ...cluster.options, 'plugin-metrics-interval-seconds': '1' } });
  t.teardown(directory.remove);
  const trigger = join(directory.path, 'now');
  const hook = `
    import { existsSync, openSync } from 'node:fs';
    const timer = setInterval(() => {
      if (!existsSync(${JSON.stringify(trigger)})) return;
      clearInterval(timer);
      try { for (;;) openSync('/dev/null'); } catch {}
    }, 5);`;
  const plugin = await startPlugin({
    directory,
    command: [
      ...['/bin/sh', '-c', 'ulimit -n 256; exec "$@"', 'sh'],
      ...[process.execPath, `--import=data:text/javascript,${encodeURIComponent(hook)}`, BUNDLE],
    ],
  });
  t.teardown(plugin.close);
  await createLauncher(plugin.wire).bootstrap();
  const known = await plugin.waitFor(({ messageType }) => messageType === 203);
  t.ok(Number(known['memoryUsageBytes']) > 10_000_000);
  writeFileSync(trigger, '', { mode: 0o644 });
  const unknown = await plugin.waitFor(
    ({ messageType, memoryUsageBytes }) => messageType === 203 && memoryUsageBytes === 0,
  );
  t.ok(Number(unknown['uptimeSeconds']) >= 1);
  plugin.kill('SIGTERM');
  t.strictSame(await plugin.exit, { code: 0, signal: null });
});
