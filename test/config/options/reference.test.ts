/** What is published - the sample of an options file, the reference - holds every option, and starts as it is. */
import { chmodSync, cpSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { OPTION_NAMES } from '../../../src/config/options/option-table.ts';
import { loadOptions } from '../../../src/config/options/options.ts';
import { referenceMarkdown } from '../../../src/config/options/reference.ts';
import { PROFILE_KEYS } from '../../../src/config/profiles/profile-table.ts';
import { JWT } from '../options/samples.ts';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/config', import.meta.url));

t.test('a configuration with every documented option starts as it is', async (t) => {
  const directory = t.testdir();
  cpSync(`${FIXTURES}/complete.conf`, `${directory}/launcher.kubernetes.conf`);
  chmodSync(`${directory}/launcher.kubernetes.conf`, 0o600);
  const loaded = await loadOptions({
    argv: [
      '--plugin-name=Kubernetes',
      '--server-user=rstudio-server',
      '--enable-debug-logging=0',
      '--scratch-path=/var/lib/rstudio-launcher/Kubernetes',
      '--heartbeat-interval-seconds=5',
      '--job-expiry-hours=24.000000',
      '--logging-dir=/var/log/rstudio/launcher',
      '--max-message-size=5242880',
      '--launcher-config-file=/etc/rstudio/launcher.conf',
    ],
    env: { RSTUDIO_CONFIG_DIR: directory },
    uid: process.getuid?.() ?? -1,
    cpus: 2,
    findUser: async () => undefined,
  });
  t.match(loaded, { ok: true, warnings: [] });
  t.match(loaded.ok && loaded.options, {
    pluginName: 'kubernetes',
    apiUrl: 'https://192.168.99.100:8443',
    authToken: JWT,
  });
});

t.test('the sample of an options file holds every option that a file can hold', async (t) => {
  const written = readFileSync(`${FIXTURES}/complete.conf`, 'utf8').matchAll(/^([a-z-]+)=/gm);
  // What the launcher passes, and what cannot stand beside another.
  const elsewhere = ['config-file', 'launcher-config-file', 'plugin-name', 'rsandbox-path', 'unprivileged'];
  t.strictSame([...[...written].map(([, name]) => name), ...elsewhere].sort(), [...OPTION_NAMES].sort());
});

/** The names in the first column of the tables of docs/configuration.md between two headings. */
function rowsBetween(start: string, end: string): readonly string[] {
  const text = readFileSync(fileURLToPath(new URL('../../../docs/configuration.md', import.meta.url)), 'utf8');
  const section = text.slice(text.indexOf(`\n${start}`), text.indexOf(`\n${end}`));
  const cells = section.split('\n').flatMap((line) => (line.startsWith('| `') ? [line.split(' | ')[0] ?? ''] : []));
  return cells.flatMap((cell) => [...cell.matchAll(/`([a-z-]+)`/g)].map(([, name = '']) => name)).sort();
}

t.test('docs/configuration.md section 1 has a row for every option, and section 2 for every profile key', async (t) => {
  t.strictSame(rowsBetween('## 1. Options', 'Details that matter'), [...OPTION_NAMES].sort());
  t.strictSame(rowsBetween('## 2. Profiles', '## 3. Resource profiles'), [...PROFILE_KEYS].sort());
});

t.test('the reference names everything', async (t) => {
  const text = referenceMarkdown();
  const lines = text.split('\n');
  t.ok(
    lines.includes(
      '| `fetch-limit` | 500 | a whole number from 0 to 1000000 | Page size of list calls; 0 means no limit. | documented |',
    ),
  );
  const originOf = (name: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`| \`${name}\``))
      ?.split(' | ')
      .at(-1)
      ?.replace(' |', '');
  t.strictSame(
    ['log-level', 'logging-dir', 'auth-token-path', 'resource-profile-config', 'kill-method', 'tolerations'].map(
      originOf,
    ),
    ['SDK', 'SDK, newer', 'newer', 'newer, name ours', 'ours', 'ours'],
  );
  t.ok(
    lines.includes(
      '| `run-as` | any | one of any, own | own: containers run with the uid, gid and supplemental groups that the user has on this host. | ours |',
    ),
  );
  t.ok(
    lines.includes(
      '| `mem-mb` | a number such as 1.5 from 0 to 1000000000000 | Memory limit in MB (10^6 bytes). | newer |',
    ),
  );
});

t.test('two keys of resource profiles are ours: an administrator removes them to switch back', async (t) => {
  const [, rows = ''] = referenceMarkdown().split('## Keys of resource profiles');
  const ours = rows.split('\n').filter((line) => line.endsWith(' | ours |'));
  t.strictSame(
    ours.map((line) => line.split(' ')[1]),
    ['`tolerations`', '`node-selector`'],
  );
});
