/** Where recordings cannot be sent again word for word, lists, watches, metrics and rights are as real ones, too. */
import t from 'tap';
import { startCluster } from './cluster.ts';
import { createCaller, isRunning, JOBS_PATH, jobBody, PODS_PATH, untilPod } from './testing.ts';

const cluster = await startCluster({ speed: 20, bookmarkMs: 200 });
const { call, close } = createCaller(cluster);
t.teardown(async () => {
  await close();
  await cluster.close();
});

const MERGE = { contentType: 'application/merge-patch+json' };
const suspended = (name: string, team: string): object => {
  const body = jobBody(name, ['true']);
  const spec = { ...('spec' in body && typeof body.spec === 'object' ? body.spec : {}), suspend: true };
  return { ...body, metadata: { name, labels: { team } }, spec };
};

function watch(query: string): Promise<{ type: string; object: Record<string, unknown> }[]> {
  return call('GET', `${JOBS_PATH}?watch=true&${query}`).then(({ text }) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line)),
  );
}

t.test('fields that are null are absent, as templates leave lists empty', async (t) => {
  const container = { name: 'main', image: 'busybox', command: ['true'], env: null, resources: null };
  const pod = { restartPolicy: 'Never', initContainers: null, volumes: null, containers: [container] };
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'empty-lists' },
    spec: { template: { spec: pod } },
  };
  const { status, body } = await call('POST', `${JOBS_PATH}?dryRun=All&fieldValidation=Strict`, job);
  t.equal(status, 201);
  t.notMatch(JSON.stringify(body), /:null|initContainers|"volumes"/);
});

t.test('pages of a list share one version; a token outlives changes, not a compaction', async (t) => {
  for (const name of ['list-a', 'list-b', 'list-c']) await call('POST', JOBS_PATH, suspended(name, 'list'));
  const list = async (
    more: string,
  ): Promise<{ metadata: Record<string, string>; items: { metadata: { name: string } }[] }> => {
    const { body } = await call('GET', `${JOBS_PATH}?labelSelector=team%3Dlist&limit=1${more}`);
    return body as never;
  };
  const first = await list('');
  t.strictSame(
    first.items.map(({ metadata }) => metadata.name),
    ['list-a'],
  );
  await call('DELETE', `${JOBS_PATH}/list-b`, { propagationPolicy: 'Background' });
  const second = await list(`&continue=${first.metadata['continue']}`);
  t.strictSame(
    second.items.map(({ metadata }) => metadata.name),
    ['list-b'],
    'as it was at the version of page 1',
  );
  t.equal(second.metadata['resourceVersion'], first.metadata['resourceVersion']);
  cluster.compact();
  const late = await call(
    'GET',
    `${JOBS_PATH}?labelSelector=team%3Dlist&limit=1&continue=${second.metadata['continue']}`,
  );
  t.match(late, { status: 410, body: { reason: 'Expired', metadata: { continue: /./ } } });
});

t.test('a watch: history, selectors, bookmarks, the end at timeoutSeconds', async (t) => {
  const from = cluster.store.revision();
  await call('POST', JOBS_PATH, suspended('watched', 'watch'));
  const open = watch(`labelSelector=team%3Dwatch&resourceVersion=${from}&timeoutSeconds=1&allowWatchBookmarks=true`);
  await call('PATCH', `${JOBS_PATH}/watched`, { metadata: { labels: { team: 'other' } } }, MERGE);
  await call('PATCH', `${JOBS_PATH}/watched`, { metadata: { labels: { team: 'watch' } } }, MERGE);
  const lines = await open;
  const types = lines.map(({ type }) => type).filter((type) => type !== 'BOOKMARK' && type !== 'MODIFIED');
  t.strictSame(
    types,
    ['ADDED', 'DELETED', 'ADDED'],
    'leaving the selector is DELETED, coming back ADDED (kubernetes-facts.md 106)',
  );
  const bookmark = lines.find(({ type }) => type === 'BOOKMARK')?.object;
  t.match(bookmark, {
    kind: 'Job',
    apiVersion: 'batch/v1',
    metadata: { resourceVersion: /^\d+$/ },
    spec: { template: { spec: { containers: null } } },
  });
  const quiet = await call(
    'GET',
    `/api/v1/namespaces/rstudio/events?watch=true&resourceVersion=${cluster.store.revision() + 99}&timeoutSeconds=1&allowWatchBookmarks=true`,
  );
  t.equal(quiet.text, '', 'a version of the future: silence; events have no bookmarks');
});

t.test('410 in the stream, with another text for events', async (t) => {
  cluster.compact();
  t.match(await watch('resourceVersion=5'), [
    { type: 'ERROR', object: { code: 410, reason: 'Expired', message: /^too old resource version: 5 \(\d+\)$/ } },
  ]);
  const { text } = await call('GET', '/api/v1/namespaces/rstudio/events?watch=true&resourceVersion=5');
  t.match(JSON.parse(text), {
    object: { code: 410, message: 'The resourceVersion for the provided watch is too old.' },
  });
});

t.test('metrics: absent, then what the processes use', async (t) => {
  const path = '/apis/metrics.k8s.io/v1beta1/namespaces/rstudio/pods';
  t.match(await call('GET', path), { status: 404, text: '404 page not found\n' });
  await call('POST', JOBS_PATH, jobBody('used', ['/bin/sleep', '300']));
  const { metadata } = await untilPod(cluster, 'used', isRunning);
  cluster.setMetrics('present');
  t.match(await call('GET', `${path}/${metadata.name}`), {
    status: 200,
    body: {
      kind: 'PodMetrics',
      window: /^\d+\.\d{3}s$/,
      containers: [{ name: 'rs-launcher-container', usage: { cpu: /^(0|\d+n)$/, memory: /^\d+Ki$/ } }],
    },
  });
  t.match(await call('GET', `${path}/nope`), {
    status: 404,
    body: { message: 'podmetrics.metrics.k8s.io "rstudio/nope" not found' },
  });
});

t.test('permissions can be narrowed; access reviews say the same', async (t) => {
  cluster.access.setRules([
    {
      subject: 'system:serviceaccount:rstudio:job-launcher',
      namespace: 'rstudio',
      verbs: ['list'],
      groups: ['batch'],
      resources: ['jobs'],
    },
  ]);
  t.equal((await call('GET', JOBS_PATH)).status, 200);
  t.match(await call('GET', PODS_PATH), {
    status: 403,
    body: {
      message:
        'pods is forbidden: User "system:serviceaccount:rstudio:job-launcher" cannot list resource "pods" in API group "" in the namespace "rstudio"',
    },
  });
  const review = async (resource: string): Promise<unknown> =>
    (
      await call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
        spec: {
          resourceAttributes: {
            namespace: 'rstudio',
            verb: 'list',
            group: resource === 'jobs' ? 'batch' : '',
            resource,
          },
        },
      })
    ).body;
  t.match(await review('jobs'), { status: { allowed: true } });
  t.match(await review('pods'), { status: { allowed: false } });
});
