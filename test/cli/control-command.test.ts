/** `stop`, `kill` and `cancel` do what the launcher does, ask first, and leave an audit line with the login user. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { JOBS } from '../cluster/api/resources.ts';
import { startJobsCluster } from './jobs-cluster.ts';

const { cluster, submit, command, untilRunning, untilWaiting, close } = await startJobsCluster();
t.teardown(close);

const running = async (t: Test): Promise<string> => {
  const id = await submit(t, { name: 'Session', exe: 'sleep', args: ['600'], container: { image: 'busybox' } }, 'jane');
  await untilRunning(id);
  return id;
};

const pending = async (t: Test): Promise<string> => {
  const id = await submit(t, { name: 'Stuck', command: 'true', container: { image: 'missing/image' } }, 'jane');
  await untilWaiting(id, 'ImagePullBackOff');
  return id;
};

/** The log directory of a test, and the audit lines in it. */
function audited(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'audit-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return {
    options: { 'logging-dir': directory },
    lines: () =>
      readFileSync(join(directory, 'rstudio-kubernetes-launcher.log'), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/^\S+ /, '')),
  };
}

const controlOf = (id: string): unknown => {
  const job = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === id);
  return JSON.parse(job?.metadata.annotations?.['job-launcher/control'] ?? '{}');
};

for (const [operation, done, sentence, submitOne] of [
  ['stop', 'stopped', 'Stopped a job', running],
  ['kill', 'killed', 'Killed a job', running],
  ['cancel', 'canceled', 'Canceled a job', pending],
] as const) {
  t.test(`${operation} ID --yes records the operation and the login user`, async (t) => {
    const id = await submitOne(t);
    const { options, lines } = audited(t);
    const { code, out, err } = await command(t, [operation, id, '--yes'], { options });
    t.strictSame([code, out, err], [0, `${id} ${done}\n`, '']);
    t.match(controlOf(id), { operation, user: 'ada' });
    const image = operation === 'cancel' ? 'missing/image' : 'busybox';
    t.strictSame(lines(), [
      `[rstudio-kubernetes-launcher] INFO ${sentence} [user: jane, requester: ada, as: *, job: ${id}, image: ${image}, typedBy: ada]`,
    ]);
  });
}

t.test('an operation that the state does not allow fails, and is recorded in the log', async (t) => {
  const id = await running(t);
  const { options, lines } = audited(t);
  const { code, out, err } = await command(t, ['cancel', id, '--yes'], { options });
  t.strictSame([code, out, err], [1, '', `Job ${id} is Running: cancel is for jobs that are Pending.\n`]);
  t.match(lines(), [/INFO Could not cancel a job \[.*typedBy: ada\]$/]);
});

t.test('one unknown id: nothing is changed', async (t) => {
  const id = await running(t);
  const { code, err } = await command(t, ['kill', id, 'nosuch', '--yes']);
  t.strictSame([code, err], [1, 'rstudio-kubernetes-launcher: there is no job nosuch in namespace rstudio\n']);
  t.strictSame(controlOf(id), {});
});

t.test('without a terminal, --yes is required', async (t) => {
  const { code, err } = await command(t, ['kill', 'x']);
  t.strictSame(
    [code, err],
    [2, 'rstudio-kubernetes-launcher: kill: without a terminal this command cannot ask: add --yes\n'],
  );
});

t.test('asks, and changes nothing without a yes', async (t) => {
  const id = await running(t);
  const asked: string[] = [];
  const ask = async (question: string): Promise<string> => {
    asked.push(question);
    return '';
  };
  const { code, out, err } = await command(t, ['kill', id], { terminal: { ask } });
  t.strictSame(
    [code, out, err, asked],
    [1, '', `${id}  Running  jane  Session\nNothing was changed.\n`, ['kill this job? [y/N] ']],
  );
  t.strictSame(controlOf(id), {});
});

t.test('asks once for several jobs, and does it after a yes', async (t) => {
  const ids = [await running(t), await running(t)];
  const { options } = audited(t);
  const { code, out } = await command(t, ['kill', ...ids], { options, terminal: { ask: async () => 'Y' } });
  t.strictSame([code, out], [0, ids.map((id) => `${id} killed\n`).join('')]);
});

t.test('only root and the server user may use it', async (t) => {
  const { code, err } = await command(t, ['kill', 'x', '--yes'], {
    options: { 'server-user': 'rstudio-server' },
    context: { uid: 4711 },
  });
  t.equal(code, 2);
  t.match(err, /^rstudio-kubernetes-launcher: kill: only root and rstudio-server may kill jobs, not .*; use sudo\n$/);
});

t.test('logging.conf decides where the audit line goes', async (t) => {
  const id = await running(t);
  const directory = mkdtempSync(join(tmpdir(), 'audit-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const files = { 'logging.conf': `[*]\nlog-dir=${directory}\nlog-message-format=json\n` };
  const { code, err } = await command(t, ['stop', id, '--yes'], { files });
  t.strictSame([code, err], [0, '']);
  const [line = ''] = readFileSync(join(directory, 'rstudio-kubernetes-launcher.log'), 'utf8').split('\n');
  t.match(JSON.parse(line), { message: 'Stopped a job', job: id, typedBy: 'ada' });
});
