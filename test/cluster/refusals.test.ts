/** Quotas, limit ranges, priorities, accounts, PodSecurity and budgets refuse and change what real ones do. */
import t from 'tap';
import { EVENTS, JOBS, PODS, PRIORITY_CLASSES, QUOTAS } from './api/resources.ts';
import { startCluster } from './cluster.ts';
import { createCaller, isRunning, JOBS_PATH, jobBody, PODS_PATH, until, untilPod } from './testing.ts';

const cluster = await startCluster({ speed: 20 });
const { call, close } = createCaller(cluster);
const BASE = '/api/v1/namespaces/rstudio';
t.teardown(async () => {
  await close();
  await cluster.close();
});

/** The text of a Job's first FailedCreate event, with the random end of the pod's name taken out. */
async function failure(job: string): Promise<string> {
  const event = await until(
    cluster,
    EVENTS,
    ({ reason, involvedObject }) => reason === 'FailedCreate' && involvedObject.name === job,
  );
  return event.message.replace(/-[a-z0-9]{5}"/, '-*"');
}

const cpu = (request: string): object => ({ resources: { requests: { cpu: request } } });

t.test(
  'a quota refuses Jobs and services at once, pods by an event; a pod comes when there is room again',
  async (t) => {
    const hard = { pods: '1', 'requests.cpu': '500m', 'count/jobs.batch': '3', 'services.nodeports': '1' };
    const quota = { metadata: { name: 'q' }, spec: { hard } };
    t.match(await call('POST', `${BASE}/resourcequotas`, quota), { status: 201, body: { status: {} } });
    await until(cluster, QUOTAS, ({ status }) => status.used?.['pods'] === '0');

    await call('POST', JOBS_PATH, jobBody('fits', ['/bin/sleep', '300'], {}, cpu('100m')));
    const pod = await untilPod(cluster, 'fits', isRunning);
    await call('POST', JOBS_PATH, jobBody('silent', ['/bin/true']));
    t.equal(
      await failure('silent'),
      'Error creating: pods "silent-*" is forbidden: failed quota: q: must specify requests.cpu for: rs-launcher-container',
    );
    await call('POST', JOBS_PATH, jobBody('waits', ['/bin/true'], {}, cpu('450m')));
    t.equal(
      await failure('waits'),
      'Error creating: pods "waits-*" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=450m, used: pods=1,requests.cpu=100m, limited: pods=1,requests.cpu=500m',
    );
    const { body: job } = await call('GET', `${JOBS_PATH}/waits`);
    t.notMatch(job, { status: { active: 1 } });
    t.match(await call('POST', JOBS_PATH, jobBody('fourth', ['/bin/true'])), {
      status: 403,
      body: {
        reason: 'Forbidden',
        message:
          'jobs.batch "fourth" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=3, limited: count/jobs.batch=3',
        details: { name: 'fourth', group: 'batch', kind: 'jobs' },
      },
    });
    const service = (name: string): object => ({
      metadata: { name },
      spec: { type: 'NodePort', ports: [{ port: 1 }] },
    });
    t.equal((await call('POST', `${BASE}/services`, service('one'))).status, 201);
    t.match(await call('POST', `${BASE}/services`, service('two')), {
      status: 403,
      body: {
        message:
          'services "two" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1',
      },
    });
    const full = await until(cluster, QUOTAS, ({ status }) => status.used?.['count/jobs.batch'] === '3');
    t.strictSame(full.status, {
      hard,
      used: { pods: '1', 'requests.cpu': '100m', 'count/jobs.batch': '3', 'services.nodeports': '1' },
    });

    await call('DELETE', `${PODS_PATH}/${pod.metadata.name}?gracePeriodSeconds=0`);
    await untilPod(cluster, 'waits', () => true);
    t.equal((await call('DELETE', `${BASE}/resourcequotas/q`)).status, 200);
  },
);

t.test('a limit range completes the pod, not the Job, and refuses what is outside', async (t) => {
  const limits = [
    {
      type: 'Container',
      default: { cpu: '200m', memory: '128Mi' },
      defaultRequest: { cpu: '50m', memory: '64Mi' },
      max: { cpu: '1', memory: '1Gi' },
      min: { cpu: '10m', memory: '4Mi' },
      maxLimitRequestRatio: { cpu: '10' },
    },
  ];
  await call('POST', `${BASE}/limitranges`, { metadata: { name: 'l' }, spec: { limits } });
  t.match((await call('POST', JOBS_PATH, jobBody('default', ['/bin/true']))).body, {
    spec: { template: { spec: { containers: [{ resources: {} }] } } },
  });
  const pod = await untilPod(cluster, 'default', () => true);
  t.strictSame(pod.spec.containers[0]?.resources, {
    limits: { cpu: '200m', memory: '128Mi' },
    requests: { cpu: '50m', memory: '64Mi' },
  });
  t.strictSame(pod.metadata.annotations, {
    'kubernetes.io/limit-ranger':
      'LimitRanger plugin set: cpu, memory request for container rs-launcher-container; cpu, memory limit for container rs-launcher-container',
  });
  t.equal(pod.status.qosClass, 'Burstable');

  const big = { resources: { limits: { cpu: '4', memory: '2Gi' } } };
  await call('POST', JOBS_PATH, jobBody('big', ['/bin/true'], {}, big));
  t.equal(
    await failure('big'),
    'Error creating: pods "big-*" is forbidden: [maximum cpu usage per Container is 1, but limit is 4, maximum memory usage per Container is 1Gi, but limit is 2Gi]',
  );
  await call('POST', JOBS_PATH, jobBody('small', ['/bin/true'], {}, cpu('1m')));
  t.equal(
    await failure('small'),
    'Error creating: pods "small-*" is forbidden: [minimum cpu usage per Container is 10m, but request is 1m, cpu max limit to request ratio per Container is 10, but provided ratio is 200.000000]',
  );
  await call('DELETE', `${BASE}/limitranges/l`);
});

t.test('service accounts and priority classes that do not exist', async (t) => {
  await call('POST', JOBS_PATH, jobBody('account', ['/bin/true'], { serviceAccountName: 'nope' }));
  t.equal(
    await failure('account'),
    'Error creating: pods "account-" is forbidden: error looking up service account rstudio/nope: serviceaccount "nope" not found',
  );
  await call('POST', JOBS_PATH, jobBody('class', ['/bin/true'], { priorityClassName: 'urgent' }));
  t.equal(
    await failure('class'),
    'Error creating: pods "class-" is forbidden: no PriorityClass with name urgent was found',
  );
  cluster.store.create(PRIORITY_CLASSES, { metadata: { name: 'urgent' }, value: 1000 });
  const { spec } = await untilPod(cluster, 'class', () => true);
  t.match(spec, { priorityClassName: 'urgent', priority: 1000, preemptionPolicy: 'PreemptLowerPriority' });
});

t.test('a budget forbids an eviction until the budget is deleted', async (t) => {
  await call('POST', JOBS_PATH, jobBody('needed', ['/bin/sleep', '300']));
  const { metadata } = await untilPod(cluster, 'needed', isRunning);
  const budgets = '/apis/policy/v1/namespaces/rstudio/poddisruptionbudgets';
  const selector = { matchLabels: { 'batch.kubernetes.io/job-name': 'needed' } };
  await call('POST', budgets, { metadata: { name: 'b' }, spec: { minAvailable: 1, selector } });
  const evict = () =>
    call('POST', `${PODS_PATH}/${metadata.name}/eviction`, { metadata: { name: metadata.name } }).then(
      ({ status, body }) => ({ status, body }),
    );
  t.match(await evict(), {
    status: 429,
    body: {
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: {
        causes: [
          { reason: 'DisruptionBudget', message: 'The disruption budget b needs 1 healthy pods and has 1 currently' },
        ],
      },
    },
  });
  await call('DELETE', `${budgets}/b`);
  t.match(await evict(), { status: 201 });
});

t.test(
  'a restricted namespace warns at the Job and refuses the pod; deleting the namespace takes all with it',
  async (t) => {
    const admin = { token: cluster.adminToken };
    const labels = {
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    };
    await call('POST', '/api/v1/namespaces', { metadata: { name: 'strict', labels } }, admin);
    const jobs = '/apis/batch/v1/namespaces/strict/jobs';
    const violations =
      'allowPrivilegeEscalation != false (container "rs-launcher-container" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "rs-launcher-container" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "rs-launcher-container" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "rs-launcher-container" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")';
    const plain = await call('POST', jobs, jobBody('plain', ['/bin/true']), admin);
    t.equal(plain.status, 201);
    t.equal(
      plain.headers['warning'],
      `299 - ${JSON.stringify(`would violate PodSecurity "restricted:latest": ${violations}`)}`,
    );
    t.equal(
      await failure('plain'),
      `Error creating: pods "plain-*" is forbidden: violates PodSecurity "restricted:latest": ${violations}`,
    );
    const securityContext = {
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const meek = await call('POST', jobs, jobBody('meek', ['/bin/sleep', '300'], {}, { securityContext }), admin);
    t.equal(meek.headers['warning'], undefined);
    await untilPod(cluster, 'meek', () => true);

    const gone = new Promise<void>((resolve) => {
      const stop = cluster.store.listen(PODS, ({ type, object }) => {
        if (type !== 'DELETED' || object.metadata.namespace !== 'strict') return;
        stop();
        resolve();
      });
    });
    t.match(await call('DELETE', '/api/v1/namespaces/strict', undefined, admin), {
      status: 200,
      body: { status: { phase: 'Terminating' } },
    });
    await gone;
    t.strictSame(cluster.store.list(JOBS, 'strict'), []);
  },
);
