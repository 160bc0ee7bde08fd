/** `jobs`, `events`, `explain` and `top` show jobs as the plugin sees them, without secrets; connection errors come at once. */
import { createServer } from 'node:http';
import t from 'tap';
import { chartRules } from '../cluster/api/access.ts';
import { JOBS } from '../cluster/api/resources.ts';
import { listen, NOBODY, NOWHERE, run } from './harness.ts';
import { startJobsCluster } from './jobs-cluster.ts';

const { cluster, submit, command, untilRunning, untilFailed, untilWaiting, close } = await startJobsCluster();
t.teardown(close);

t.test('a namespace without jobs', async (t) => {
  const { code, out, err } = await command(t, ['jobs']);
  t.strictSame([code, out, err], [0, '', 'There are no jobs.\n']);
});

const environment = [{ name: 'PASSWORD', value: 'hunter2' }];
const BUSYBOX = { image: 'busybox' };
let stuck = '';
let ended = '';
let running = '';

t.test('(three jobs are submitted)', async (t) => {
  stuck = await submit(
    t,
    {
      name: 'Evil \u001b[2J\u202e job',
      command: 'true',
      container: { image: 'missing/image' },
      environment,
      tags: ['a\u001b]0;b'],
    },
    'eve',
  );
  ended = await submit(t, { name: 'Report', command: 'echo bad >&2; exit 3', container: BUSYBOX }, 'jane');
  running = await submit(
    t,
    {
      name: 'Session',
      exe: 'sleep',
      args: ['600'],
      container: BUSYBOX,
      resourceLimits: [
        { type: 'cpuCount', value: '1' },
        { type: 'memory', value: '2048' },
      ],
    },
    'jane',
  );
  await untilFailed(ended);
  await untilWaiting(stuck, 'ImagePullBackOff');
  await untilRunning(running);
});

t.test('the list has one line a job', async (t) => {
  const { lines, err, code } = await command(t, ['jobs']);
  t.strictSame([err, code], ['', 0]);
  t.equal(lines.length, 4);
  t.match(lines[0], /^ID {2,}STATE {5}USER {2}AGE {2,}REASON$/);
  const row = (id: string) => lines.find((line) => line.startsWith(id))?.split(/ {2,}/) ?? [];
  t.match(row(ended), [ended, 'Finished', 'jane', /^\d+s$/, 'Error: ended with exit code 3']);
  t.match(row(stuck).slice(0, 4), [stuck, 'Pending', 'eve', /^\d+s$/]);
  t.match(row(stuck)[4], /image missing\/image/);
});

t.test('at 80 columns no line is longer, and ids and words are complete', async (t) => {
  const { lines } = await command(t, ['jobs'], { terminal: { columns: 80 } });
  t.ok(lines.every((line) => line.length <= 80));
  for (const id of [stuck, ended, running]) t.ok(lines.some((line) => line.startsWith(`${id} `) || line === id));
  t.match(lines.join(' ').replace(/ +/g, ' '), 'image missing/image cannot be pulled');
});

for (const [flags, expected] of [
  [['--user=jane', '--sort=id'], () => [ended, running]],
  [['--state=pending'], () => [stuck]],
  [['--state=Running,Finished', '--since=1h', '--sort=id'], () => [ended, running]],
  [['--node=node0', '--user=eve'], () => [stuck]],
  [['--node=node7'], () => []],
  [['--tag=a\u001b]0;b'], () => [stuck]],
  [['--sort=state'], () => [stuck, running, ended]],
  [['--sort=user', '--state=Pending,Finished'], () => [stuck, ended]],
] as const) {
  t.test(`jobs -o name ${JSON.stringify(flags)}`, async (t) => {
    const { out, code } = await command(t, ['jobs', '-o', 'name', ...flags]);
    t.equal(code, 0);
    t.strictSame(out.split('\n').filter(Boolean), expected());
  });
}

t.test('filters that match nothing', async (t) => {
  const { out, err } = await command(t, ['jobs', '--user=nobody']);
  t.strictSame([out, err], ['', 'No job matches these filters.\n']);
});

for (const [flag, message] of [
  ['--since=5x', '--since is a time such as 90s, 15m, 2h or 7d, not "5x"'],
  [
    '--state=Runing',
    '--state is a list of Pending, Running, Suspended, Finished, Failed, Killed, Canceled, not "Runing"',
  ],
  ['--sort=size', '--sort is one of age, id, state, user, node, not "size"'],
  ['--output=xml', '--output is wide, json or name, not "xml"'],
  ['--json --output=wide', '--json and --output wide exclude each other'],
  ['x --sort=age', '--sort is for lists; leave out the ID'],
] as const) {
  t.test(`jobs ${flag} is refused`, async (t) => {
    const { code, err } = await command(t, ['jobs', ...flag.split(' ')]);
    t.strictSame([code, err], [2, `rstudio-kubernetes-launcher: jobs: ${message}\n`]);
  });
}

t.test('-o wide has node, image and tags', async (t) => {
  const { lines } = await command(t, ['jobs', '-o', 'wide', '--user=eve']);
  t.strictSame(lines[0]?.split(/ +/), ['ID', 'STATE', 'USER', 'AGE', 'NODE', 'IMAGE', 'TAGS', 'REASON']);
  t.match(lines[1], /^\S+ +Pending +eve +\d+[sm] +node0 +missing\/image +a\\u001b\]0;b +image missing\/image/);
});

t.test('--json lists the jobs of a user', async (t) => {
  const list = JSON.parse((await command(t, ['jobs', '--json', '--user=jane', '--state=Finished'])).out);
  t.match(list, [{ id: ended, user: 'jane', status: 'Finished', exitCode: 3, host: 'node0', tags: [] }]);
  t.equal(list.length, 1);
});

t.test('jobs ID shows one job without control characters and secrets', async (t) => {
  const all = await command(t, ['jobs', stuck]);
  t.notMatch(all.out, /[\u001b\u202e]/);
  t.notMatch(all.out, 'hunter2');
  t.match(all.lines.slice(0, 5), [
    `id           ${stuck}`,
    'name         Evil \\u001b[2J\\u202e job',
    'user         eve',
    'state        Pending',
    /^reason {7}.*missing\/image/,
  ]);
  t.match(all.out, /\ncause {8}pending\n/);
  t.match(all.out, /\nenvironment {2}PASSWORD\n/);
  t.match(all.out, /\ntags {9}a\\u001b\]0;b\n/);
  t.match(all.out, /\n\nAGE {2,}EVENT {4}REASON {2,}OF {2,}MESSAGE\n/);
  t.match(all.out, /\n\d+s {2,}Warning {2}Failed {2,}Pod /);
});

t.test('jobs ID shows resources and, with metrics, the usage now', async (t) => {
  t.match((await command(t, ['jobs', running])).out, /\nresources {2}1 CPU, 2048 MB\n(?!usage)/);
  cluster.setMetrics('present');
  t.teardown(() => cluster.setMetrics('absent'));
  t.match(
    (await command(t, ['jobs', running])).out,
    /\nresources {2}1 CPU, 2048 MB\nusage now {2}\d+\.\d\d CPU, \d+ MB\n/,
  );
});

t.test('jobs ID of an ended job has cause, end and events', async (t) => {
  const stored = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === ended);
  t.ok(stored);
  if (stored !== undefined) {
    cluster.store.edit(JOBS, stored, ({ metadata }) => {
      metadata.annotations = {
        ...metadata.annotations,
        'job-launcher/result':
          '{"state":"Finished","statusCode":"Error","exitCode":3,"message":"ended with exit code 3","cause":"container-ended","recordedBy":"host1/kubernetes/abc","recordedAt":"2026-01-02T03:04:06.000Z","endedAt":"2026-01-02T03:04:05.000Z"}',
      };
    });
  }
  const report = await command(t, ['jobs', ended]);
  t.strictSame(
    report.lines
      .slice(report.lines.findIndex((line) => line.startsWith('AGE')) + 1)
      .map((line) => line.split(/ {2,}/)[2]),
    ['SuccessfulCreate', 'Scheduled', 'Pulling', 'Pulled', 'Created', 'Started', 'BackoffLimitExceeded'],
    'events of one second in the order of the cluster',
  );
  t.match(report.out, /\nended +2026-01-02T03:04:05Z \(\d+d ago\)\n/);
  t.match(report.out, '\ncause      container-ended (recorded by host1 at 2026-01-02T03:04:06Z)\n');
  const json = JSON.parse((await command(t, ['jobs', ended, '--json'])).out);
  t.match(json, { id: ended, user: 'jane', status: 'Finished', exitCode: 3, environment: [] });
  t.match(json.cause, { name: 'container-ended', recordedBy: 'host1/kubernetes/abc' });
});

t.test('a job of another user than --user does not exist', async (t) => {
  const { code, err } = await command(t, ['jobs', stuck, '--user', 'jane']);
  t.strictSame([code, err], [1, `rstudio-kubernetes-launcher: there is no job ${stuck} in namespace rstudio\n`]);
});

t.test('events ID lists the events of Job and pods', async (t) => {
  const { lines, code } = await command(t, ['events', ended]);
  t.equal(code, 0);
  t.strictSame(
    lines.slice(1).map((line) => line.split(/ {2,}/)[2]),
    ['SuccessfulCreate', 'Scheduled', 'Pulling', 'Pulled', 'Created', 'Started', 'BackoffLimitExceeded'],
  );
});

t.test('events at 80 columns have their message below', async (t) => {
  const { lines } = await command(t, ['events', stuck], { terminal: { columns: 80 } });
  t.ok(lines.every((line) => line.length <= 80));
  t.match(lines[0], /^AGE +EVENT +REASON +OF$/);
  t.match(lines[2], /^ {2}\S/);
});

/** Output without the times, which differ. */
const timeless = (text: string): string => text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \([^)]+ ago\)/g, 'TIME');

t.test('explain ID of a running job', async (t) => {
  const { out, code } = await command(t, ['explain', running]);
  t.equal(code, 0);
  const [pod = ''] = new RegExp(`${running}-\\w{5}`).exec(out) ?? [];
  t.equal(
    timeless(out),
    `State
  Job ${running} of jane is Running.
  Cause: running: its container runs.
What happened
  TIME  The job was submitted.
  TIME  Pod ${pod} was created.
  TIME  The scheduler assigned pod ${pod} to node node0.
  TIME  Its container started on node node0.
What the cluster reported
  No warnings.
Resources
  The container has 1 CPU, 2048 MB.
What to do
  The job runs. Its output: rstudio-kubernetes-launcher logs ${running} -f. Its CPU and memory: rstudio-kubernetes-launcher top.
`,
  );
});

t.test('explain at 60 columns: no line is longer', async (t) => {
  const { out } = await command(t, ['explain', running], { terminal: { columns: 60 } });
  const lengths = out.split('\n').map((line) => line.length);
  t.ok(Math.max(...lengths) <= 60, `${Math.max(...lengths)} characters`);
  t.match(out, /\n {2}The job runs\. Its output: .*\n {2}\S/);
});

t.test('explain ID of a job with an image that does not exist', async (t) => {
  const { out } = await command(t, ['explain', stuck]);
  t.match(out, `\n  Cause: pending: image missing/image cannot be pulled`);
  t.match(out, '\n  Failed of Pod ');
  t.match(
    out,
    'What to do\n  Check the name of the image, and that the node can reach its registry. A private registry needs image-pull-secrets in the profile.\n',
  );
});

t.test('explain ID of a program that failed', async (t) => {
  const { out } = await command(t, ['explain', ended]);
  t.match(out, `  Job ${ended} of jane is Finished (Error). Its exit code is 3.\n`);
  t.match(out, '  The plugin on host1 recorded this result at 2026-01-02T03:04:06Z.\n');
  t.match(
    out,
    `What to do\n  The program ended with an error of its own: read its output (rstudio-kubernetes-launcher logs ${ended} --tail 50).\n`,
  );
});

t.test('top without a metrics API', async (t) => {
  const { code, err } = await command(t, ['top']);
  t.strictSame(
    [code, err],
    [1, 'metrics.k8s.io has no answer: install metrics-server, or grant get and list on pods.metrics.k8s.io\n'],
  );
});

t.test('top shows usage and limits of running jobs', async (t) => {
  cluster.setMetrics('present');
  t.teardown(() => cluster.setMetrics('absent'));
  const { lines, code } = await command(t, ['top']);
  t.equal(code, 0);
  t.strictSame(lines[0]?.split(/ {2,}/), ['ID', 'USER', 'CPU', 'MEMORY', 'NODE']);
  t.match(lines[1], new RegExp(`^${running} +jane +\\d+\\.\\d\\d of 1 +\\d+ MB of 2048 \\(\\d+ %\\) +node0$`));
  t.equal(lines.length, 2);
  const [json] = JSON.parse((await command(t, ['top', '--json', '--sort=memory'])).out);
  t.match(json, { id: running, user: 'jane', cpuLimit: 1, memoryLimitMb: 2048, node: 'node0' });
});

t.test(
  'jobs ID of a killed job names who killed it and when, and shows fields without a line of their own',
  async (t) => {
    const fields = { queues: ['fast', 'slow'], group: 'staff', stdoutFile: '/home/jane/out', container: BUSYBOX };
    const killed = await submit(t, { name: 'Endless', exe: 'sleep', args: ['600'], ...fields }, 'jane');
    await untilRunning(killed);
    const stored = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === killed);
    if (stored === undefined) throw new Error(`${killed} is not stored`);
    cluster.store.edit(JOBS, stored, ({ metadata }) => {
      metadata.annotations = {
        ...metadata.annotations,
        'job-launcher/control': '{"operation":"kill","at":"2026-01-02T03:04:04Z","user":"jane"}',
        'job-launcher/result':
          '{"state":"Killed","statusCode":"Killed","exitCode":137,"message":"","cause":"killed","recordedBy":"host1/kubernetes/abc","recordedAt":"2026-01-02T03:04:06Z","endedAt":"2026-01-02T03:04:05Z"}',
      };
    });
    const { out } = await command(t, ['jobs', killed]);
    t.match(out, /\nstate +Killed\n/);
    t.match(
      out,
      /\ncause +killed: jane killed the job at 2026-01-02T03:04:04Z \(recorded by host1 at 2026-01-02T03:04:06Z\)\n/,
    );
    t.match(out, /\nexit code +137\n/);
    t.match(out, /\ncontrol +kill by jane at 2026-01-02T03:04:04Z /);
    t.match(out, /\ngroup +staff\nqueues +fast, slow\nstdoutFile +\/home\/jane\/out\n/);
  },
);

t.test('nothing secret is shown of any field', async (t) => {
  const csi = { driver: 'd.example', volumeAttributes: { password: 'hunter3' } };
  const mounts = [{ type: 'passthrough', mountPath: '/m', readOnly: true, source: { csi } }];
  const secretive = await submit(
    t,
    {
      name: 'Secretive',
      exe: 'sleep',
      args: ['1'],
      container: { image: 'missing/image' },
      environment,
      config: [{ name: 'other', value: 'hunter4' }],
      metadata: { password: 'hunter5' },
      mounts,
      initContainers: [{ name: 'first', image: 'missing/image', exe: 'true', environment, mounts }],
    },
    'eve',
  );
  const json = await command(t, ['jobs', secretive, '--json']);
  const texts = [json.out, (await command(t, ['jobs', secretive])).out, (await command(t, ['explain', secretive])).out];
  t.notMatch(texts.join(''), 'hunter');
  const places = [{ type: 'passthrough', mountPath: '/m', readOnly: true }];
  t.match(JSON.parse(json.out), {
    exe: 'sleep',
    args: ['1'],
    environment: ['PASSWORD'],
    config: ['other'],
    mounts: places,
    initContainers: [{ name: 'first', exe: 'true', environment: ['PASSWORD'], mounts: places }],
  });
});

t.test('an account that cannot list events does not say that there are none', async (t) => {
  cluster.access.setRules(chartRules(cluster.namespace));
  const warning = 'warning: no permission to list events; reasons or addresses may be missing\n';
  const events = await command(t, ['events', running]);
  t.strictSame(
    [events.code, events.err],
    [0, `${warning}Events of job ${running} are not known without permission to list them.\n`],
  );
  const explained = await command(t, ['explain', running]);
  t.match(explained.out, 'What the cluster reported\n  Not known without permission to list events.\n');
  t.equal(explained.err, warning);
});

t.test('an account that cannot list jobs', async (t) => {
  cluster.access.setRules([]);
  const { code, err } = await command(t, ['jobs'], {
    options: { 'auth-token': cluster.accounts.issue('rstudio', 'default') },
  });
  t.equal(code, 1);
  t.match(err, /^rstudio-kubernetes-launcher: Kubernetes refused the request: .*cannot list resource/);
});

for (const args of [['jobs'], ['jobs', 'some-job'], ['logs', 'some-job', '-f'], ['kill', 'some-job', '--yes']]) {
  t.test(`${args.join(' ')}: an API server that refuses connections is reported at once`, async (t) => {
    const begun = performance.now();
    const { err, code } = await run(t, args, { options: NOWHERE });
    t.equal(
      err,
      'rstudio-kubernetes-launcher: Cannot connect to the Kubernetes API server: http://127.0.0.1:PORT: connect ECONNREFUSED 127.0.0.1:PORT [GET /apis/batch/v1/namespaces/rstudio/jobs] -> rstudio-kubernetes-launcher check shows the cause\n',
    );
    t.equal(code, 1);
    t.ok(performance.now() - begun < 5_000);
  });
}

t.test('a host name that does not resolve', async (t) => {
  const { err } = await run(t, ['jobs'], { options: { ...NOWHERE, 'api-url': `https://${NOBODY}:6443` } });
  t.equal(
    err,
    `rstudio-kubernetes-launcher: Cannot connect to the Kubernetes API server: https://${NOBODY}:PORT: getaddrinfo ENOTFOUND ${NOBODY} [GET /apis/batch/v1/namespaces/rstudio/jobs] -> rstudio-kubernetes-launcher check shows the cause\n`,
  );
});

t.test('a timeout reports the error before it', async (t) => {
  const server = createServer((_request, response) => response.writeHead(503).end('the etcd is away'));
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  const { err } = await run(t, ['jobs'], { options: { ...NOWHERE, 'api-url': url, 'request-timeout-seconds': '1' } });
  t.equal(
    err,
    'rstudio-kubernetes-launcher: The Kubernetes API server did not answer in time: 1 s; last failure: The Kubernetes API server failed: the etcd is away [GET /apis/batch/v1/namespaces/rstudio/jobs: 503] [GET /apis/batch/v1/namespaces/rstudio/jobs] -> rstudio-kubernetes-launcher check shows the cause\n',
  );
});
