/** The plugin when its log cannot be written and nobody reads its stderr instead: the launcher is answered all the same. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { errorCode } from '../../src/system/errors.ts';
import { startEmptyCluster } from '../support/empty-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { createLauncher } from '../support/launcher.ts';
import { BUNDLE, startPlugin, writeConfig } from '../support/plugin.ts';

const cluster = await startEmptyCluster();
t.teardown(cluster.close);

t.test('more is said on stderr than the pipe takes', async (t) => {
  const directory = writeConfig({ options: { ...cluster.options, 'logging-dir': '/proc/none' } });
  t.teardown(directory.remove);
  // Where root starts the plugin, it is of root and for root only, as the launcher's pipe is.
  const path = join(directory.path, 'pipe');
  execFileSync('/usr/bin/mkfifo', ['-m', '600', path]);
  // Another plugin on the same stderr: at its end Node.js makes it block again, as it was when that one began.
  const [begun, end] = [join(directory.path, 'begun'), join(directory.path, 'end')];
  const other = `fs.writeFileSync('${begun}', ''); setInterval(() => { if (fs.existsSync('${end}')) process.exit(); }, 10)`;
  const started = `${process.execPath} -e "${other}" < /dev/null > /dev/null & until [ -e ${begun} ]; do sleep 0.02; done`;
  const both = `exec 2<>"$0"; ${started}; exec "$@"`;
  const plugin = await startPlugin({ directory, command: ['/bin/sh', '-c', both, path, process.execPath, BUNDLE] });
  t.teardown(plugin.close);
  const pipe = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.teardown(() => closeSync(pipe));
  const read = (): readonly string[] => {
    const bytes = Buffer.alloc(100_000);
    return bytes.toString('utf8', 0, readSync(pipe, bytes)).trimEnd().split('\n');
  };
  const readIfThere = (): readonly string[] | undefined => {
    try {
      return read();
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') return undefined;
      throw error;
    }
  };
  const launcher = createLauncher(plugin.wire);
  await launcher.bootstrap();
  const blocks = (): boolean => {
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/${plugin.pid}/fdinfo/2`, 'utf8'))?.[1];
    return (Number.parseInt(flags ?? '', 8) & constants.O_NONBLOCK) === 0;
  };
  writeFileSync(end, '');
  await eventually(blocks);
  // Each leaves two lines of more than a hundred bytes.
  for (let asked = 0; asked < 400; asked++) await launcher.clusterInfo('jane');
  const before = read();
  await launcher.clusterInfo('jane');
  // Lines below WARNING are written a few milliseconds later.
  const [late, notice, ...after] = await eventually(() => readIfThere());
  t.match(notice, /^Dropped [1-9]\d+ log lines here, because nobody read stderr$/);
  const line = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[rstudio-kubernetes-launcher\] [A-Z]+ [A-Z].*[)\]]$/;
  t.same(
    [...before, late ?? '', ...after].filter((each) => !line.test(each)),
    [],
    'whole lines',
  );
  plugin.kill('SIGTERM');
  t.strictSame(await plugin.exit, { code: 0, signal: null });
});
