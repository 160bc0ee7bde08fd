/** `jobs` shows each job as the plugin knows it, with nothing secret in it; without an API server it says so, at once. */
import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { JOBS } from '../cluster/api/resources.ts';
import { startCluster } from '../cluster/cluster.ts';
import { optionsFor } from '../cluster/config.ts';
import { createCaller, hasEnded, JOBS_PATH, until, untilPod } from '../cluster/testing.ts';
import { listen, NOBODY, NOWHERE, run } from './harness.ts';

t.test('in a cluster', async (t) => {
  const cluster = await startCluster({ speed: 50, random: () => 0.5 });
  const caller = createCaller(cluster);
  t.teardown(async () => {
    await caller.close();
    await cluster.close();
  });
  const options = optionsFor(cluster);

  const empty = await run(t, ['jobs'], { options });
  t.strictSame([empty.code, empty.out, empty.err], [0, '', 'There are no jobs.\n']);

  /** Makes what `render` prints. */
  const submit = async (t: Test, job: object, user: string): Promise<string> => {
    const { out, err } = await run(t, ['render', '-', '-o', 'json', '--server-dry-run', `--user=${user}`], {
      options,
      input: JSON.stringify(job),
    });
    t.equal(err, 'the API server accepts these objects (strict dry run)\n');
    const [rendered] = JSON.parse(out).items;
    const made = await caller.call('POST', JOBS_PATH, rendered);
    t.equal(made.status, 201);
    return rendered.metadata.name;
  };
  const stuck = await submit(
    t,
    {
      name: 'Evil \u001b[2J\u202e job',
      command: 'true',
      container: { image: 'missing/image' },
      environment: [{ name: 'PASSWORD', value: 'hunter2' }],
      tags: ['a\u001b]0;b'],
    },
    'eve',
  );
  const ended = await submit(t, { name: 'Report', command: 'exit 3', container: { image: 'busybox' } }, 'jane');
  await untilPod(cluster, ended, hasEnded);
  await untilPod(
    cluster,
    stuck,
    (pod) => pod.status.containerStatuses?.[0]?.state?.waiting?.reason === 'ImagePullBackOff',
  );
  await until(
    cluster,
    JOBS,
    (job) => job.metadata.name === ended && job.status.conditions?.some(({ type }) => type === 'Failed') === true,
  );

  const { lines, err, code } = await run(t, ['jobs'], { options });
  t.strictSame([err, code], ['', 0]);
  t.equal(lines.length, 3);
  t.match(lines[0], /^ID {2,}STATE {5}USER {2}AGE {2,}REASON$/);
  const row = (id: string) => lines.find((line) => line.startsWith(id))?.split(/ {2,}/) ?? [];
  t.match(row(ended), [ended, 'Finished', 'jane', /^\d+s$/, 'Error: ended with exit code 3']);
  t.match(row(stuck).slice(0, 4), [stuck, 'Pending', 'eve', /^\d+s$/]);
  t.match(row(stuck)[4], /image missing\/image/);

  const all = await run(t, ['jobs', stuck], { options });
  t.notMatch(all.out, /[\u001b\u202e]/, 'nothing that a terminal obeys');
  t.notMatch(all.out, 'hunter2', 'no values of the environment');
  t.match(all.lines.slice(0, 5), [
    `id           ${stuck}`,
    'name         Evil \\u001b[2J\\u202e job',
    'user         eve',
    'state        Pending',
    /^reason {7}.*missing\/image/,
  ]);
  t.match(all.out, /\ncause {8}pending: image missing\/image/);
  t.match(all.out, /\nenvironment {2}PASSWORD\n/);
  t.match(all.out, /\ntags {9}a\\u001b\]0;b\n/);
  t.match(all.out, /\n\nAGE {2,}EVENT {4}REASON {2,}OF {2,}MESSAGE\n/);
  t.match(all.out, /\n\d+s {2,}Warning {2}Failed {2,}Pod /);

  const stored = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === ended);
  if (stored !== undefined) {
    cluster.store.edit(JOBS, stored, ({ metadata }) => {
      metadata.annotations = {
        ...metadata.annotations,
        'job-launcher/result': JSON.stringify({
          state: 'Finished',
          statusCode: 'Error',
          message: 'ended with exit code 3',
          exitCode: 3,
          endedAt: '2026-01-02T03:04:05.000Z',
          cause: 'container-ended',
          recordedBy: 'host1/kubernetes/x7k2q9w1ab',
          recordedAt: '2026-01-02T03:04:06.000Z',
        }),
      };
    });
  }
  const report = await run(t, ['jobs', ended], { options });
  t.strictSame(
    report.lines
      .slice(report.lines.findIndex((line) => line.startsWith('AGE')) + 1)
      .map((line) => line.split(/ {2,}/)[2]),
    ['SuccessfulCreate', 'Scheduled', 'Pulling', 'Pulled', 'Created', 'Started', 'BackoffLimitExceeded'],
    'events of one second in the order in which the cluster got them',
  );
  t.match(report.out, /\nended +2026-01-02T03:04:05Z \(\d+d ago\)\n/);
  const json = JSON.parse((await run(t, ['jobs', ended, '--json'], { options })).out);
  t.match(json, { id: ended, user: 'jane', status: 'Finished', exitCode: 3, environment: [] });
  t.match(
    report.out,
    /\ncause {6}container-ended: ended with exit code 3 \(recorded by host1 at 2026-01-02T03:04:06Z\)\n/,
  );
  t.strictSame(json.cause, {
    name: 'container-ended',
    explanation: 'ended with exit code 3',
    recordedBy: 'host1/kubernetes/x7k2q9w1ab',
    recordedAt: '2026-01-02T03:04:06.000Z',
  });
  const list = JSON.parse((await run(t, ['jobs', '--json', '--user=jane'], { options })).out);
  t.strictSame(
    list.map((job: { id: string }) => job.id),
    [ended],
  );

  const csi = { driver: 'd.example', volumeAttributes: { password: 'hunter3' } };
  const environment = [{ name: 'PASSWORD', value: 'hunter2' }];
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
  const shown = await run(t, ['jobs', secretive, '--json'], { options });
  t.notMatch(shown.out + (await run(t, ['jobs', secretive], { options })).out, 'hunter');
  const places = [{ type: 'passthrough', mountPath: '/m', readOnly: true }];
  t.match(JSON.parse(shown.out), {
    exe: 'sleep',
    args: ['1'],
    environment: ['PASSWORD'],
    config: ['other'],
    mounts: places,
    initContainers: [{ name: 'first', exe: 'true', environment: ['PASSWORD'], mounts: places }],
  });

  const foreign = await run(t, ['jobs', stuck, '--user', 'jane'], { options });
  t.strictSame(
    [foreign.code, foreign.err],
    [1, `rstudio-kubernetes-launcher: there is no job ${stuck} in namespace rstudio\n`],
  );
  const blind = { options: { ...options, 'auth-token': cluster.accounts.issue('rstudio', 'default') } };
  cluster.access.setRules([]);
  const denied = await run(t, ['jobs'], blind);
  t.equal(denied.code, 1);
  t.match(denied.err, /^rstudio-kubernetes-launcher: Kubernetes refused the request: .*cannot list resource/);
});

t.test('an API server that cannot be reached', async (t) => {
  const begun = performance.now();
  const refused = `rstudio-kubernetes-launcher: Cannot connect to the Kubernetes API server: http://127.0.0.1:PORT: connect ECONNREFUSED 127.0.0.1:PORT [GET /apis/batch/v1/namespaces/rstudio/jobs] -> rstudio-kubernetes-launcher check shows the cause\n`;
  for (const args of [['jobs'], ['jobs', 'some-job']]) {
    const { err, code } = await run(t, args, { options: NOWHERE });
    t.equal(err, refused);
    t.equal(code, 1);
  }
  const unknown = await run(t, ['jobs'], { options: { ...NOWHERE, 'api-url': `https://${NOBODY}:6443` } });
  t.equal(
    unknown.err,
    `rstudio-kubernetes-launcher: Cannot connect to the Kubernetes API server: https://${NOBODY}:PORT: getaddrinfo ENOTFOUND ${NOBODY} [GET /apis/batch/v1/namespaces/rstudio/jobs] -> rstudio-kubernetes-launcher check shows the cause\n`,
  );
  t.ok(performance.now() - begun < 5_000, 'nobody waits for what refuses');
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
