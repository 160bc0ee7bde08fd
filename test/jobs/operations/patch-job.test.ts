/** Copies of Jobs (`kubectl create`, restored backups): what was written of the run of the first is not theirs. */
import t from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { sleep } from '../../../src/system/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, startPlugins } from '../instance.ts';

const { cluster, instance, stop } = await startPlugins(t);
const admin = await instance({ token: cluster.adminToken });

const annotationsOf = async (id: string): Promise<Readonly<Record<string, string>>> =>
  (await admin.client.get(JOBS, id)).object.metadata?.annotations ?? {};

/** What `kubectl get -o yaml | kubectl create -f -` makes, after the names and labels that must be new were taken out. */
async function copy(id: string): Promise<string> {
  const { metadata, spec } = (await admin.client.get(JOBS, id)).object;
  if (spec === undefined) throw new Error('a Job without spec');
  const { selector: _, template, ...rest } = spec;
  const { labels, ...templateMetadata } = template.metadata ?? {};
  const own = Object.entries(labels ?? {}).filter(([key]) => !/controller-uid|job-name/.test(key));
  await admin.client.create(
    JOBS,
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: `${id}-copy`,
        labels: { 'app.kubernetes.io/managed-by': 'launcher' },
        annotations: { ...metadata?.annotations },
      },
      spec: { ...rest, template: { ...template, metadata: { ...templateMetadata, labels: Object.fromEntries(own) } } },
    },
    {},
  );
  return `${id}-copy`;
}

const FAST = fastClock(40);

t.test('the copy of a job that was stopped runs, is not stopped again and does not expire', async (t) => {
  const one = await instance({ clock: FAST, options: { jobExpiryHours: 24 } });
  const id = await admin.submit({ name: 'Report', command: 'sleep 600' });
  await admin.until(id, hasState('Running'));
  await admin.jobs.control(id, 'alice', 'stop');
  await admin.until(id, hasState('Finished'));
  await eventually(async () => (await annotationsOf(id))['job-launcher/result']);

  const copied = await copy(id);
  const old = await annotationsOf(copied);
  t.match(old, { 'job-launcher/result': /Stopped/, 'job-launcher/control': /stop/ });
  await one.until(copied, hasState('Running'));
  // Stops are done again after ten seconds.
  await sleep(FAST, 20_000);
  t.strictSame(one.announced.get(copied), ['Pending/Pending', 'Running/Running']);
  t.match(one.jobs.find(copied, 'alice'), { name: 'Report', status: 'Running' });

  await one.jobs.control(copied, 'alice', 'kill');
  await one.until(copied, hasState('Killed'));
  const written = await eventually(async () => {
    const now = await annotationsOf(copied);
    return now['job-launcher/result'] === undefined ? undefined : now;
  });
  t.match(written, { 'job-launcher/result': /"Killed"/, 'job-launcher/control': /"kill"/ });
  t.strictSame(one.announced.get(copied)?.at(-1), 'Killed/Killed');
  await stop(one);
});

t.test('the copy of a job with input reports that its own input was lost', async (t) => {
  const one = await instance({ clock: FAST });
  const id = await admin.submit({ command: 'read x; sleep 600', stdin: 'x\n' });
  await eventually(async () => (await annotationsOf(id))['job-launcher/stdin']);
  const copied = await copy(id);
  t.match(await one.until(copied, ({ statusMessage }) => statusMessage === 'its input was lost'), {
    status: 'Running',
  });
  for (const each of [id, copied]) await admin.jobs.control(each, '*', 'kill');
  await stop(one);
});
