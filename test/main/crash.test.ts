/** A defect that shows while the plugin runs ends it with code 70, and the log, not stderr, says which and where. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startEmptyCluster } from '../support/empty-cluster.ts';
import { createLauncher } from '../support/launcher.ts';
import { BUNDLE, startPlugin, writeConfig } from '../support/plugin.ts';

const cluster = await startEmptyCluster();
t.teardown(cluster.close);

/** The plugin with a defect that shows when it is told to; gives its end. */
async function crash(t: Test, defect: string) {
  const directory = writeConfig({ options: cluster.options });
  t.teardown(directory.remove);
  const trigger = join(directory.path, 'now');
  const hook = `
    import { existsSync } from 'node:fs';
    const timer = setInterval(() => {
      if (!existsSync(${JSON.stringify(trigger)})) return;
      clearInterval(timer);
      ${defect}
    }, 5);`;
  const plugin = await startPlugin({
    directory,
    command: [process.execPath, `--import=data:text/javascript,${encodeURIComponent(hook)}`, BUNDLE],
  });
  t.teardown(plugin.close);
  await createLauncher(plugin.wire).bootstrap();
  writeFileSync(trigger, '', { mode: 0o644 });
  const exit = await plugin.exit;
  return { ...exit, stderr: plugin.stderr(), log: plugin.log() };
}

t.test('an unexpected exception, and a rejection that nobody handles', async (t) => {
  for (const defect of [
    `throw new TypeError('a \\u001b[31mdefect');`,
    `Promise.reject(new TypeError('a \\u001b[31mdefect'));`,
  ]) {
    const { code, signal, stderr, log } = await crash(t, defect);
    t.strictSame({ code, signal, stderr }, { code: 70, signal: null, stderr: '' });
    t.match(
      log,
      /^\S+Z \[rstudio-kubernetes-launcher\] ERROR Unexpected error, a defect of the plugin; exiting with code 70; TypeError \(a \\u001b\[31mdefect\); OCCURRED at .*data:text\/javascript/m,
    );
  }
});
