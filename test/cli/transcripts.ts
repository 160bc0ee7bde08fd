/**
 * `node test/cli/transcripts.ts`, as root: writes the transcripts of docs/transcripts.md anew. Runs the executable on a
 * terminal of 80 columns and a simulated cluster; a transcript is the output of the commands that stand in it.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { smallestRules } from '../cluster/api/access.ts';
import { startCluster } from '../cluster/cluster.ts';
import { optionsFor } from '../cluster/config.ts';
import { createLauncher } from '../support/launcher.ts';
import { EXECUTABLE, startPlugin } from '../support/plugin.ts';

const PAGE = new URL('../../docs/transcripts.md', import.meta.url);
const PROFILES = new URL('../../fixtures/config/groups.profiles.conf', import.meta.url);
const TYPED = '$ sudo rstudio-kubernetes-launcher ';
/** As long as /etc/rstudio, which is shown instead: lines are folded at the same places. */
const DIRECTORY = '/tmp/rstudio';
const CONFIG = `${DIRECTORY}/launcher.kubernetes.conf`;
/** The last lines of `check` are its result. */
const mostLines = (line: string): number => (line.startsWith('check') ? 64 : 32);

const cluster = await startCluster();
cluster.setMetrics('present');
cluster.access.setRules(smallestRules(cluster.namespace));
const reach = { ...optionsFor(cluster), 'kubernetes-namespace': cluster.namespace };

function writeOptions(more: Readonly<Record<string, string>> = {}): void {
  const lines = Object.entries({ 'server-user': 'nobody', ...reach, ...more }).map(
    ([name, value]) => `${name}=${value}\n`,
  );
  writeFileSync(CONFIG, lines.join(''), { mode: 0o600 });
}

/** The output of a command line on a terminal; the answer to its question is typed. */
function typed(line: string, answer = ''): Promise<string> {
  const command = `stty cols 80 rows 24 ${answer === '' ? '-echo' : ''}; exec '${EXECUTABLE}' ${line}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: '/usr/bin:/bin', TERM: 'dumb', NO_COLOR: '1', SHELL: '/bin/sh', RSTUDIO_CONFIG_DIR: DIRECTORY },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (text: Buffer) => {
    output += String(text);
    if (answer !== '' && output.endsWith('[y/N] ')) child.stdin.write(answer);
  });
  return new Promise((resolve) =>
    child.once('close', () => resolve(output.replaceAll('\r', '').replaceAll(DIRECTORY, '/etc/rstudio'))),
  );
}

function shortened(line: string, text: string): string {
  const lines = text.trimEnd().split('\n');
  const most = mostLines(line);
  return lines.length <= most ? lines.join('\n') : [...lines.slice(0, most), '...'].join('\n');
}

mkdirSync(DIRECTORY, { mode: 0o755 });
writeOptions();
const plugin = await startPlugin({ options: { ...reach, 'log-level': 'ERROR' } });
try {
  const launcher = createLauncher(plugin.wire);
  await launcher.bootstrap();
  const submit = async (user: string, name: string, job: object): Promise<string> =>
    (await launcher.submit(user, { name, container: { image: 'busybox' }, ...job })).id;
  const until = (user: string, id: string, wanted: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const stream = launcher.status(
        user,
        id,
        ({ status, statusMessage }) => {
          if (!wanted.test(`${status} ${statusMessage}`)) return;
          stream.cancel();
          resolve();
        },
        reject,
      );
    });

  const report = await submit('jane', 'Report', {
    command: 'for i in 1 2 3 4 5; do echo "line $i"; done; exit 3',
  });
  const far = await submit('eve', 'Too far', { command: 'true', host: 'node9' });
  const session = await submit('jane', 'R session', {
    exe: 'sleep',
    args: ['3000'],
    tags: ['rstudio'],
    exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }],
    resourceLimits: [
      { type: 'cpuCount', value: '1' },
      { type: 'memory', value: '2048' },
    ],
  });
  const image = await submit('bob', 'Bad image', {
    command: 'true',
    container: { image: 'registry.example.com/team/analysis:2026-11' },
  });
  const endless = await submit('jane', 'Endless', { command: 'sleep 3000', queues: ['fast', 'slow'], group: 'staff' });
  await until('jane', report, /^Finished/);
  await until('jane', session, /^Running/);
  await until('jane', endless, /^Running/);
  await until('eve', far, /nodes are available/);
  await until('bob', image, /cannot be pulled/);
  await launcher.control('jane', endless, 'kill');
  await until('jane', endless, /^Killed/);
  const ids: readonly string[] = [report, far, session, image, endless];

  /** The same job of this run for an id of an earlier run. */
  const current = (line: string): string =>
    line.replace(/\b(report|too-far|r-session|bad-image|endless)-[a-z0-9]{10}\b/g, (old, name: string) => {
      return ids.find((id) => id.startsWith(`${name}-`)) ?? old;
    });

  /** What a block shows is set up here, by the first line of its commands. */
  async function prepared(line: string, block: string): Promise<() => void> {
    if (line.startsWith('profile') || line.startsWith('render')) {
      const text = readFileSync(PROFILES, 'utf8');
      writeFileSync(`${DIRECTORY}/launcher.kubernetes.profiles.conf`, text, { mode: 0o644 });
      return () => rmSync(`${DIRECTORY}/launcher.kubernetes.profiles.conf`);
    }
    if (line === 'check' && block.includes('expired')) {
      writeOptions({ 'auth-token': cluster.accounts.issue('rstudio', 'job-launcher', -3 * 86_400) });
      return () => writeOptions();
    }
    if (line === 'check' && block.includes('cannot get')) {
      const rules = smallestRules(cluster.namespace).map((rule) => ({
        ...rule,
        resources: rule.resources.filter((resource) => resource !== 'pods/log'),
      }));
      cluster.access.setRules(rules);
      return () => cluster.access.setRules(smallestRules(cluster.namespace));
    }
    return () => {};
  }

  const parts = readFileSync(PAGE, 'utf8').split(/(```console\n[\s\S]*?```)/);
  const written: string[] = [];
  for (const part of parts) {
    if (!part.startsWith('```console')) {
      written.push(part);
      continue;
    }
    const lines = part.split('\n').filter((line) => line.startsWith(TYPED));
    const outputs: string[] = [];
    for (const line of lines.map(current)) {
      const undo = await prepared(line.slice(TYPED.length), part);
      outputs.push(
        `${line}\n${shortened(line.slice(TYPED.length), await typed(line.slice(TYPED.length), line.includes(' kill ') ? 'y\n' : ''))}\n`,
      );
      undo();
    }
    written.push(`\`\`\`console\n${outputs.join('\n')}\`\`\``);
  }
  writeFileSync(PAGE, written.join(''));
} finally {
  await plugin.close();
  await cluster.close();
  rmSync(DIRECTORY, { recursive: true, force: true });
}
