/** `check` finds what is wrong in the cluster - namespace, token, nodes, other launchers - and can prove that a job works. */
import t from 'tap';
import { documentedRules } from '../cluster/api/access.ts';
import { JOBS, NODES } from '../cluster/api/resources.ts';
import { ACCOUNT, SMALLEST, startChecked } from './cluster.ts';
import { linesOf } from './harness.ts';

const { cluster, check } = await startChecked();
t.teardown(() => cluster.close());

t.test('all is well', async (t) => {
  cluster.setMetrics('present');
  t.teardown(() => cluster.setMetrics('absent'));
  const directories = { options: { 'logging-dir': 'DIR/log', 'scratch-path': 'DIR/scratch' } };
  const { lines, code, err } = await check(t, SMALLEST, directories);
  const ca = /valid until (\S+)$/.exec(lines.find((line) => line.includes('CN=kube-apiserver')) ?? '')?.[1];
  t.match(lines, [
    'ok       options         DIR/launcher.kubernetes.conf, 6 options',
    'ok       server-user     nobody (uid 65534)',
    /^ok {7}open-files {6}(the open-file limit is \d+|no open-file limit)$/,
    'ok       directories     DIR/log can be written',
    'ok       directories     DIR/scratch can be written',
    'ok       profiles        no restrictions: no sections in DIR/launcher.kubernetes.profiles.conf',
    'ok       profiles        0 resource profiles in DIR/launcher.kubernetes.resources.conf',
    'ok       ca              certificate-authority holds 1 certificate',
    'ok       token           auth-token: account system:serviceaccount:rstudio:job-launcher, issuer https://kubernetes.default.svc, without an expiry',
    'ok       name            api-url holds an IP address; no DNS lookup needed',
    /^ok {7}tcp {13}127\.0\.0\.1:PORT accepts connections \(\d+ ms\)$/,
    `ok       tls             CN=kube-apiserver, issued by CN=simulated-cluster-ca, valid until ${ca}`,
    'ok       version         Kubernetes v1.36.2',
    /^ok {7}clock {11}the clocks of this host and the API server differ by [012] s$/,
    'ok       namespace       namespace rstudio accepts jobs (dry run)',
    'ok       permissions     all 32 permissions are granted',
    'ok       nodes           1 of 1 nodes are ready and schedulable',
    'ok       metrics         metrics.k8s.io responds',
    'ok       constraints     no placement constraints',
    'ok       launchers       no jobs',
    "ok       accounts        only the plugin's account has these permissions",
    /^21 ok \(\d\.\d s\)$/,
  ]);
  t.equal(lines.length, 22);
  t.equal(code, 0);
  t.equal(err, '');

  const json = await check(t, SMALLEST, {}, ['--json']);
  const { ok, results } = JSON.parse(json.out);
  t.equal(ok, true);
  t.strictSame(results[12], { step: 'version', status: 'ok', found: 'Kubernetes v1.36.2' });
  t.equal(json.code, 0);
});

t.test('the namespace', async (t) => {
  const missing = await check(t, SMALLEST, { options: { 'kubernetes-namespace': 'nowhere' } });
  t.strictSame(linesOf(missing, 'namespace'), [
    'failed namespace DIR/launcher.kubernetes.conf:5: kubernetes-namespace: nowhere does not exist, or the account has no permissions in it (Kubernetes does not say which) -> the token belongs to namespace rstudio; if the jobs belong there too, set kubernetes-namespace=rstudio',
  ]);
  t.strictSame(linesOf(missing, 'permissions'), [
    `failed permissions ${ACCOUNT} has no permissions in namespace nowhere -> see namespace above`,
  ]);
  t.strictSame(
    linesOf(missing, 'token')[1],
    'warning token the account job-launcher belongs to namespace rstudio, but jobs run in nowhere -> correct kubernetes-namespace, or bind the account in that namespace: subjects: [{kind: ServiceAccount, name: job-launcher, namespace: rstudio}]',
  );
  t.equal(missing.code, 1);

  const known = await check(t, SMALLEST, {
    options: { 'kubernetes-namespace': 'nowhere', 'auth-token': cluster.adminToken },
  });
  t.strictSame(linesOf(known, 'namespace'), [
    'failed namespace DIR/launcher.kubernetes.conf:5: kubernetes-namespace: nowhere does not exist, or the account has no permissions in it (Kubernetes does not say which) -> correct the option, or run: rstudio-kubernetes-launcher rbac | kubectl apply -f -',
  ]);

  const noRights = await check(t, SMALLEST.slice(-1));
  t.strictSame(
    [...linesOf(noRights, 'namespace'), ...linesOf(noRights, 'permissions')],
    [
      'failed namespace kubernetes-namespace: rstudio does not exist, or the account has no permissions in it (Kubernetes does not say which) -> correct the option, or run: rstudio-kubernetes-launcher rbac | kubectl apply -f -',
      `failed permissions ${ACCOUNT} has no permissions in namespace rstudio -> see namespace above`,
    ],
  );

  const noCreate = await check(
    t,
    SMALLEST.map((rule) => ({
      ...rule,
      verbs: rule.verbs.filter((verb) => rule.groups[0] !== 'batch' || verb !== 'create'),
    })),
  );
  t.strictSame(linesOf(noCreate, 'namespace'), [
    'warning namespace namespace rstudio exists, but the account cannot create jobs in it -> see permissions below',
  ]);

  const allow = cluster.denyNew('jobs', 'not on Sundays');
  const denied = await check(t, SMALLEST);
  allow();
  t.match(
    linesOf(denied, 'namespace')[0],
    /^failed namespace namespace rstudio refuses jobs: .*not on Sundays.* -> a quota, an admission webhook or the deletion of the namespace; the message says which$/,
  );
});

t.test('tokens that the API server does not take', async (t) => {
  const expired = cluster.accounts.issue('rstudio', 'job-launcher', -7200);
  const outcome = await check(t, SMALLEST, { options: { 'auth-token': expired } });
  t.match(
    linesOf(outcome, 'token')[0],
    /^failed token DIR\/launcher.kubernetes.conf:3: auth-token: expired 2 hours ago: account system:serviceaccount:rstudio:job-launcher, issuer https:\/\/kubernetes\.default\.svc, until /,
  );
  t.match(
    linesOf(outcome, 'version')[0],
    /^failed version .*: auth-token: the API server does not accept the token \(401\), which has expired -> see token above$/,
  );
  t.match(
    linesOf(outcome, '9 steps')[0],
    /^skipped 9 steps skipped because of a failure above: clock, access, namespace, permissions, /,
  );

  const soon = await check(t, SMALLEST, {
    options: { 'auth-token': cluster.accounts.issue('rstudio', 'job-launcher', 7300) },
  });
  t.match(
    linesOf(soon, 'token')[0],
    /^warning token DIR\/launcher.kubernetes.conf:3: auth-token: expires in 2 hours, and the plugin cannot renew auth-token: .* -> set auth-token to the token that does not expire, /,
  );
  t.equal(soon.code, 0);
});

t.test('what is in the cluster', async (t) => {
  const metrics = await check(t, SMALLEST);
  t.strictSame(linesOf(metrics, 'metrics'), [
    'warning metrics metrics.k8s.io is not installed: CPU and memory usage of jobs is not shown -> optional; to see usage, install metrics-server',
  ]);

  const documented = await check(t, documentedRules('rstudio'));
  t.strictSame(linesOf(documented, 'accounts'), [
    "warning accounts RoleBinding job-launcher-admin grants role cluster-admin to group system:serviceaccounts:rstudio: every job with a service account's token is an administrator of namespace rstudio -> run: rstudio-kubernetes-launcher rbac | kubectl apply -f -; then delete that binding",
  ]);
  t.equal(documented.code, 0);

  /** What is said of one job for each of these launchers; '' names none. */
  const launchers = async (...instances: readonly string[]) => {
    const jobs = instances.map((instance, index) =>
      cluster.store.create(JOBS, {
        metadata: {
          name: `old-${index}`,
          namespace: 'rstudio',
          labels: {
            'app.kubernetes.io/managed-by': 'launcher',
            ...(instance === '' ? {} : { 'launcher-instance-id': instance }),
          },
        },
        spec: { suspend: true, template: { metadata: {}, spec: { restartPolicy: 'Never', containers: [] } } },
        status: {},
      } as never),
    );
    const outcome = await check(t, SMALLEST);
    for (const job of jobs) cluster.store.remove(JOBS, job);
    return linesOf(outcome, 'launchers');
  };
  t.strictSame(await launchers(''), ['ok launchers 1 job without a launcher label']);
  t.strictSame(await launchers('', ''), ['ok launchers 2 jobs without a launcher label']);
  t.strictSame(await launchers('workbench-1'), ['ok launchers 1 job of 1 launcher']);
  t.strictSame(await launchers('workbench-1', 'workbench-1', 'connect-2'), [
    'warning launchers 3 jobs of 2 launchers in one namespace: workbench-1 (2), connect-2 (1) -> set another kubernetes-namespace for each launcher; remove jobs of a deleted launcher with kubectl delete job',
  ]);

  const [node] = cluster.store.list(NODES);
  const cordon = (unschedulable: boolean) =>
    node &&
    cluster.store.edit(NODES, node, (each) => {
      each.spec = { ...each.spec, unschedulable };
    });
  cordon(true);
  const cordoned = await check(t, SMALLEST);
  cordon(false);
  t.strictSame(linesOf(cordoned, 'nodes'), [
    'failed nodes 0 of 1 nodes are ready and schedulable -> jobs stay Pending until a node is ready; run: kubectl get nodes',
  ]);
});

t.test('a job through its whole life', async (t) => {
  const outcome = await check(t, SMALLEST, {}, ['--submit-test-job', '--image', 'busybox']);
  t.match(
    linesOf(outcome, 'test-job')[0],
    /^ok test-job check-[a-z0-9]{10} on node0: submitted after \d\.\d s, ended after \d\.\d s, output read after \d\.\d s$/,
  );
  t.equal(outcome.code, 0);
  t.strictSame(cluster.store.list(JOBS), [], 'nothing is left');

  const none = await check(t, SMALLEST, {}, ['--submit-test-job']);
  t.strictSame(linesOf(none, 'test-job'), [
    'failed test-job The job names no container image, and there is no default-container-image -> fix the setting in the message, or choose another user or image: --user USER --image IMAGE',
  ]);
});
