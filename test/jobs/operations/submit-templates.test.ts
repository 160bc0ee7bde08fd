/** Jobs that templates make run, show what was submitted, and have the Service of the template. */
import t from 'tap';
import { JOBS, SERVICES } from '../../cluster/api/resources.ts';
import { hasState, startPlugins } from '../instance.ts';
import { JOB_TEMPLATE, SERVICE_TEMPLATE, templatesOf } from '../objects/templating.ts';

const FILES = { 'job.tpl': JOB_TEMPLATE, 'service.tpl': SERVICE_TEMPLATE };

t.test('a job of a template runs, and its output is that of its command', async (t) => {
  const { instance } = await startPlugins(t);
  const one = await instance({ templates: () => templatesOf(FILES) });
  const id = await one.submit({ command: 'echo', args: ['hello'] });
  const job = await one.until(id, hasState('Finished'));
  t.strictSame([job.exitCode, job.command, job.args], [0, 'echo', ['hello']]);
  t.equal(await one.output(id), 'hello\n');
});

t.test(
  'an instance without templates shows the job as it was submitted, without variables of the template',
  async (t) => {
    const { instance } = await startPlugins(t);
    const one = await instance({ templates: () => templatesOf(FILES) });
    const environment = [{ name: 'PRICE', value: '$5: "x"\nnext' }];
    const id = await one.submit({ command: 'sleep 600', environment, tags: ['a'], name: 'My: job' });
    const other = await instance();
    const { command, args, environment: shown, tags, name, user } = await other.until(id, hasState('Running'));
    t.strictSame(
      { command, args, shown, tags, name, user },
      { command: 'sleep 600', args: [], shown: environment, tags: ['a'], name: 'My: job', user: 'alice' },
    );
    await other.jobs.control(id, 'alice', 'kill');
    t.equal((await one.until(id, hasState('Killed'))).status, 'Killed');
  },
);

t.test('the Service is the one of the template, and its Job owns it', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const one = await instance({ templates: () => templatesOf(FILES) });
  const id = await one.submit({ command: 'sleep 600', exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] });
  const [service] = cluster.store.list(SERVICES).filter(({ metadata }) => metadata.name === id);
  t.match(service, {
    metadata: {
      labels: { site: 'services', 'job-name': id },
      ownerReferences: [{ kind: 'Job', name: id, controller: false, blockOwnerDeletion: false }],
    },
    spec: { type: 'ClusterIP', selector: { 'job-name': id }, ports: [{ name: 'p0', port: 8787 }] },
  });
});

t.test('a template that cannot be used refuses the job before anything is created', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const broken = { ...FILES, 'service.tpl': 'kind: {{ .Job.name.x }}' };
  const one = await instance({ templates: () => templatesOf(broken) });
  await t.rejects(one.submit({ exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] }), {
    code: 'invalid-request',
    message:
      /^The template service\.tpl:1:\d+ cannot be used for this job: an error of kind field; the log has the message\.$/,
  });
  t.same(cluster.store.list(JOBS), []);
});
