/** Jobs that templates make run, show what was submitted, and have the Service of the template. */
import t from 'tap';
import { SERVICES as CLIENT_SERVICES } from '../../../src/kubernetes/contract.ts';
import { JOBS, SERVICES } from '../../cluster/api/resources.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, startPlugins } from '../instance.ts';
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

t.test('a missing Service is made by its template, and not without it while the template has an error', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  let files: Readonly<Record<string, string>> = FILES;
  const one = await instance({ templates: () => templatesOf(files), clock: fastClock(100) });
  const id = await one.submit({ command: 'sleep 600', exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] });
  const labels = () => cluster.store.list(SERVICES).find(({ metadata }) => metadata.name === id)?.metadata.labels;
  const refused = () => one.log.some(({ fields }) => JSON.stringify(fields).includes('The template service.tpl:1'));

  files = { ...FILES, 'service.tpl': 'kind: {{ .Job.name.x }}' };
  await one.client.delete(CLIENT_SERVICES, id, { propagationPolicy: 'Background' });
  await eventually(refused);
  t.equal(labels(), undefined, 'there is no Service that the template did not make');

  files = FILES;
  await eventually(() => labels() !== undefined);
  t.match(labels(), { site: 'services' });
});

t.test('passwords that a template derives are computed beside the event loop', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const withSite = (site: string) => JOB_TEMPLATE.replace('yes-please', site);
  let text = withSite('p{{ derivePassword 2 "pin" "p" "u" "s" }}');
  const one = await instance({ templates: () => templatesOf({ 'job.tpl': text }) });
  const id = await one.submit({ command: 'sleep 600' });
  const [job] = cluster.store.list(JOBS).filter(({ metadata }) => metadata.name === id);
  t.equal(job?.metadata.labels?.['site'], 'p8889');
  text = withSite('{{ range until 5 }}{{ derivePassword 2 "pin" (print .) "u" "s" }}{{ end }}');
  t.match(await one.submit({ command: 'sleep 600' }).catch((error: unknown) => error), {
    logged: /error calling derivePassword: a template derives more than 4 passwords/,
  });
});
