/** Launcher templates of a running plugin: what stops its start, what a reload takes into use, and what a change on disk does. */
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { JOBS } from '../cluster/api/resources.ts';
import { startCluster } from '../cluster/cluster.ts';
import { optionsFor } from '../cluster/config.ts';
import { EXECUTABLE, withEnvironment, writeConfig } from '../support/plugin.ts';
import { start } from './launched.ts';

const cluster = await startCluster();
t.teardown(cluster.close);

/** A copy of the sample set that the server user can read. */
function sampleSet(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'templates-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  cpSync(new URL('../../fixtures/templates', import.meta.url), directory, { recursive: true });
  chmodSync(directory, 0o755);
  return directory;
}

t.test('a template that does not parse stops the start with file, line and reason', async (t) => {
  const directory = sampleSet(t);
  writeFileSync(join(directory, 'service.tpl'), 'kind: Service\n{{ if .Job.id }\n');
  const config = writeConfig({
    options: { ...optionsFor(cluster), 'use-templating': '1', 'template-path': directory },
  });
  t.teardown(config.remove);
  const [program, args] = withEnvironment({}, [EXECUTABLE, `--config-file=${config.configFile}`]);
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    const child = execFile(program, args, { timeout: 60_000 }, (error, _, said) =>
      resolve({ code: error?.code, stderr: said }),
    );
    child.stdin?.end();
  });
  t.equal(code, 1);
  t.equal(stderr, `rstudio-kubernetes-launcher: ${directory}/service.tpl:2: unexpected "}" in operand\n`);
});

t.test('a reload with a template that does not parse changes nothing; a correct one is used', async (t) => {
  const directory = sampleSet(t);
  const options = { 'use-templating': '1', 'template-path': directory };
  const { plugin, launcher } = await start(t, cluster, { options });
  await plugin.logged(/INFO Launcher templates in use \[directory: .*, files: "job\.tpl \(version 2\.5\.0\), /);
  const data = join(directory, 'site-data.tpl');

  writeFileSync(data, '{{ define "site.data" }}{{ nonsense }}{{ end }}');
  plugin.kill('SIGHUP');
  await plugin.logged(
    /ERROR Reload failed; keeping the previous configuration: .*\/site-data\.tpl:1: function "nonsense" not defined/,
  );
  const container = { image: 'busybox' };
  const first = await launcher.submit('jane', { name: 'one', command: 'echo', container });
  await plugin.logged(/ERROR Templates changed and have an error; keeping the previous ones: .*\/site-data\.tpl:1: /);
  t.match(await siteName(first.id), 'example', 'made with the previous templates');

  writeFileSync(data, '{{ define "site.data" }}{"name": "changed"}{{ end }}');
  plugin.kill('SIGHUP');
  await plugin.logged(/INFO Reloaded profiles/);
  const second = await launcher.submit('jane', { name: 'two', command: 'echo', container });
  t.equal(await siteName(second.id), 'changed');

  writeFileSync(data, '{{ define "site.data" }}{"name": "on disk"}{{ end }}');
  const third = await launcher.submit('jane', { name: 'three', command: 'echo', container });
  t.equal(await siteName(third.id), 'on disk', 'without a reload');
});

/** The variable that the sample template sets. */
async function siteName(id: string): Promise<unknown> {
  const job = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === id);
  const [container] = Object(job).spec.template.spec.containers;
  return container.env.find(({ name }: { name: string }) => name === 'SITE_NAME').value;
}
