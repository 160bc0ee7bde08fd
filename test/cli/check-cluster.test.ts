/** `check` reports problems of the cluster (namespace, token, nodes, other launchers) and can prove that a job works. */
import t, { type Test } from 'tap';
import { documentedRules } from '../cluster/api/access.ts';
import { JOBS, NODES } from '../cluster/api/resources.ts';
import { ACCOUNT, SMALLEST, startChecked } from './cluster.ts';
import { linesOf } from './harness.ts';

const { cluster, check } = await startChecked();
t.teardown(() => cluster.close());

t.test('prints one line for each result when nothing is wrong', async (t) => {
  cluster.setMetrics('present');
  t.teardown(() => cluster.setMetrics('absent'));
  const directories = { options: { 'logging-dir': 'DIR/log', 'scratch-path': 'DIR/scratch' } };
  const { lines: all, code, err } = await check(t, SMALLEST, directories);
  // A plugin of another test on this host may run at this moment.
  const lines = all.filter((line) => !/^\w+ +hardening /.test(line));
  const ca = /valid until (\S+)$/.exec(lines.find((line) => line.includes('CN=kube-apiserver')) ?? '')?.[1];
  t.match(lines, [
    'ok       options         DIR/launcher.kubernetes.conf, 6 options',
    'ok       server-user     nobody (uid 65534)',
    /^ok {7}open-files {6}(the open-file limit is \d+|no open-file limit)$/,
    'ok       directories     DIR/log does not exist; the plugin creates it',
    'ok       directories     DIR/scratch does not exist; the plugin creates it',
    'ok       profiles        DIR/launcher.kubernetes.profiles.conf does not exist: users are not restricted',
    'ok       profiles        DIR/launcher.kubernetes.resources.conf does not exist: there are no resource profiles',
    'ok       ca              certificate-authority holds 1 certificate',
    'ok       token           auth-token: account system:serviceaccount:rstudio:job-launcher, issuer https://kubernetes.default.svc, without an expiry',
    'ok       name            api-url holds an IP address; no DNS lookup needed',
    /^ok {7}tcp {13}127\.0\.0\.1:PORT accepts connections \(\d+ ms\)$/,
    `ok       tls             CN=kube-apiserver, issued by CN=simulated-cluster-ca, valid until ${ca}`,
    'ok       version         Kubernetes v1.36.2',
    /^ok {7}clock {11}this host and the API server differ by [012] s$/,
    'ok       namespace       namespace rstudio accepts jobs (dry run)',
    'ok       permissions     all 31 permissions are granted',
    'ok       nodes           1 of 1 nodes are ready and schedulable',
    'ok       metrics         metrics.k8s.io responds',
    'ok       constraints     no placement constraints',
    'ok       launchers       no jobs',
    "ok       accounts        only the plugin's account has these permissions",
    /^warning {2}root-on-node {4}a user without a section can become root on a node: a job may mount any directory /,
    /^[12] warnings?, 2[0-2] ok \(\d+\.\d s\)$/,
  ]);
  t.equal(lines.length, 23);
  t.equal(code, 0);
  t.equal(err, '');
});

t.test('--json prints one object with the result of each step', async (t) => {
  const { out, code } = await check(t, SMALLEST, {}, ['--json']);
  const { ok, results } = JSON.parse(out);
  t.equal(ok, true);
  t.strictSame(results[12], { step: 'version', status: 'ok', found: 'Kubernetes v1.36.2' });
  t.equal(code, 0);
});

t.test('a namespace other than that of the token: names both', async (t) => {
  const outcome = await check(t, SMALLEST, { options: { 'kubernetes-namespace': 'nowhere' } });
  t.strictSame(linesOf(outcome, 'namespace'), [
    'failed namespace DIR/launcher.kubernetes.conf:5: kubernetes-namespace: nowhere does not exist, or the account has no permissions in it (Kubernetes does not say which) -> the token belongs to namespace rstudio: set kubernetes-namespace=rstudio, or bind the account in namespace nowhere: subjects: [{kind: ServiceAccount, name: job-launcher, namespace: rstudio}]',
  ]);
  t.strictSame(outcome.lines.filter((line) => line.includes('nowhere')).length, 1, 'the problem is reported once');
  t.equal(outcome.code, 1);
});

t.test('a namespace that does not exist', async (t) => {
  const outcome = await check(t, SMALLEST, {
    options: { 'kubernetes-namespace': 'nowhere', 'auth-token': cluster.adminToken },
  });
  t.strictSame(linesOf(outcome, 'namespace'), [
    'failed namespace DIR/launcher.kubernetes.conf:5: kubernetes-namespace: nowhere does not exist, or the account has no permissions in it (Kubernetes does not say which) -> correct the option, or run: rstudio-kubernetes-launcher rbac | kubectl apply -f -',
  ]);
});

t.test('an account without any permission in the namespace', async (t) => {
  const outcome = await check(t, SMALLEST.slice(-1));
  t.strictSame(
    [...linesOf(outcome, 'namespace'), ...linesOf(outcome, 'permissions')],
    [
      'failed namespace kubernetes-namespace: rstudio does not exist, or the account has no permissions in it (Kubernetes does not say which) -> correct the option, or run: rstudio-kubernetes-launcher rbac | kubectl apply -f -',
      'skipped permissions skipped because of a failure above',
    ],
  );
});

t.test('an account that cannot create jobs', async (t) => {
  const rules = SMALLEST.map((rule) => ({
    ...rule,
    verbs: rule.verbs.filter((verb) => rule.groups[0] !== 'batch' || verb !== 'create'),
  }));
  t.strictSame(linesOf(await check(t, rules), 'namespace'), [
    'warning namespace namespace rstudio exists, but the account cannot create jobs in it -> see permissions below',
  ]);
});

t.test('a webhook that refuses jobs: shows its message', async (t) => {
  t.teardown(cluster.denyNew('jobs', 'not on Sundays'));
  t.match(
    linesOf(await check(t, SMALLEST), 'namespace')[0],
    /^failed namespace namespace rstudio refuses jobs: .*not on Sundays.* -> ask the administrator of the cluster: a quota, /,
  );
});

t.test('an expired token: skips what needs it', async (t) => {
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
});

t.test('a token in the options file that expires soon', async (t) => {
  const token = cluster.accounts.issue('rstudio', 'job-launcher', 7300);
  const outcome = await check(t, SMALLEST, { options: { 'auth-token': token } });
  t.match(
    linesOf(outcome, 'token')[0],
    /^warning token DIR\/launcher.kubernetes.conf:3: auth-token: expires in 2 hours, and the plugin cannot renew auth-token: .* -> set auth-token to the token that does not expire, /,
  );
  t.equal(outcome.code, 0);
});

t.test('a cluster without metrics-server', async (t) => {
  t.strictSame(linesOf(await check(t, SMALLEST), 'metrics'), [
    'warning metrics metrics.k8s.io is not installed: CPU and memory usage of jobs is not shown -> optional; to see usage, install metrics-server',
  ]);
});

t.test('a binding that makes every service account an administrator', async (t) => {
  const outcome = await check(t, documentedRules('rstudio'));
  t.strictSame(linesOf(outcome, 'accounts'), [
    "warning accounts RoleBinding job-launcher-admin grants role cluster-admin to group system:serviceaccounts:rstudio: every job with a service account's token is an administrator of namespace rstudio -> run: rstudio-kubernetes-launcher rbac | kubectl apply -f -; then delete that binding",
  ]);
  t.equal(outcome.code, 0);
});

t.test('rbac is named with the account of the token, and the cluster that is not the default', async (t) => {
  const token = cluster.accounts.issue('rstudio', 'workbench');
  const options = { 'auth-token': token, 'plugin-name': 'gpu' };
  t.match(
    linesOf(await check(t, documentedRules('rstudio'), { options }), 'accounts')[0],
    ' -> run: rstudio-kubernetes-launcher rbac --plugin-name=gpu --account workbench | kubectl apply -f -; then delete that binding',
  );
});

/** The lines of step `launchers` with one job for each of these instance ids; '' is a job without the label. */
async function launchers(t: Test, ...instances: readonly string[]): Promise<readonly string[]> {
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
  t.teardown(() => {
    for (const job of jobs) cluster.store.remove(JOBS, job);
  });
  return linesOf(await check(t, SMALLEST), 'launchers');
}

t.test('one job without a launcher label', async (t) => {
  t.strictSame(await launchers(t, ''), ['ok launchers 1 job without a launcher label']);
});

t.test('two jobs without a launcher label', async (t) => {
  t.strictSame(await launchers(t, '', ''), ['ok launchers 2 jobs without a launcher label']);
});

t.test('a job of one launcher', async (t) => {
  t.strictSame(await launchers(t, 'workbench-1'), ['ok launchers 1 job of 1 launcher']);
});

t.test('jobs of two launchers in one namespace', async (t) => {
  t.strictSame(await launchers(t, 'workbench-1', 'workbench-1', 'connect-2'), [
    'warning launchers 3 jobs of 2 launchers in one namespace: workbench-1 (2), connect-2 (1) -> set another kubernetes-namespace for each launcher; remove jobs of a deleted launcher with kubectl delete job',
  ]);
});

t.test('no node is schedulable', async (t) => {
  const [node] = cluster.store.list(NODES);
  const cordon = (unschedulable: boolean) =>
    node &&
    cluster.store.edit(NODES, node, (each) => {
      each.spec = { ...each.spec, unschedulable };
    });
  cordon(true);
  t.teardown(() => cordon(false));
  t.strictSame(linesOf(await check(t, SMALLEST), 'nodes'), [
    'failed nodes 0 of 1 nodes are ready and schedulable -> jobs stay Pending until a node is ready; run: kubectl get nodes',
  ]);
});

t.test('--submit-test-job runs a job and deletes it', async (t) => {
  const outcome = await check(t, SMALLEST, {}, ['--submit-test-job', '--image', 'busybox']);
  t.match(
    linesOf(outcome, 'test-job')[0],
    /^ok test-job check-[a-z0-9]{10} on node0: submitted after \d\.\d s, ended after \d\.\d s, output read after \d\.\d s$/,
  );
  t.equal(outcome.code, 0);
  t.strictSame(cluster.store.list(JOBS), []);
});

t.test('--submit-test-job needs no image in the configuration', async (t) => {
  const outcome = await check(t, SMALLEST, {}, ['--submit-test-job']);
  t.match(linesOf(outcome, 'test-job')[0], /^ok test-job check-[a-z0-9]{10} on node0: /);
});

t.test('--submit-test-job ends at once when the image cannot be pulled', async (t) => {
  const begun = performance.now();
  const outcome = await check(t, SMALLEST, {}, ['--submit-test-job', '--image=missing/image']);
  t.match(
    linesOf(outcome, 'test-job')[0],
    /^failed test-job check-\w+ cannot start: image missing\/image cannot be pulled.* -> Check the name of the image, and that the node can reach its registry\./,
  );
  t.ok(performance.now() - begun < 30_000);
  t.strictSame(cluster.store.list(JOBS), []);
});

t.test('--submit-test-job names a missing priority class', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\npriority-class=nosuch\n' };
  const outcome = await check(t, SMALLEST, { files }, ['--submit-test-job']);
  t.match(
    linesOf(outcome, 'test-job')[0],
    /^failed test-job check-\w+ cannot start: .*nosuch.* -> The priority class of the profile does not exist: correct priority-class \(kubectl get priorityclasses\)\.$/,
  );
});

t.test('--submit-test-job with --user submits a job of this user', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[daemon]\npriority-class=nosuch\n' };
  const outcome = await check(t, SMALLEST, { files }, ['--submit-test-job', '--user', 'daemon']);
  t.match(linesOf(outcome, 'test-job')[0], /^failed test-job check-\w+ cannot start: .*nosuch.*/);
});

t.test('a service account and a pull Secret that do not exist, and a priority class that cannot be read', async (t) => {
  const files = {
    'launcher.kubernetes.profiles.conf':
      '[*]\npriority-class=nosuch\nservice-account=default\n\n[jane]\nservice-account=ghost\nimage-pull-secrets=registry\n',
  };
  const outcome = await check(t, SMALLEST, { files });
  const file = 'DIR/launcher.kubernetes.profiles.conf';
  t.strictSame(linesOf(outcome, 'named-objects'), [
    'ok named-objects 1 of 4 named objects exist; 1 not verified: no permission to get priorityclasses',
    `failed named-objects ${file}:6: service-account: ServiceAccount ghost does not exist in namespace rstudio; jobs with it stay Pending -> correct the name, or create the ServiceAccount; existing ones: kubectl -n rstudio get serviceaccounts`,
    `failed named-objects ${file}:7: image-pull-secrets: Secret registry does not exist in namespace rstudio; jobs with it stay Pending -> correct the name, or create the Secret; existing ones: kubectl -n rstudio get secrets`,
  ]);
  t.equal(outcome.code, 1);
});

t.test('objects that the account may not read are counted', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\npriority-class=nosuch\nservice-account=default\n' };
  t.strictSame(linesOf(await check(t, SMALLEST, { files }), 'named-objects'), [
    'ok named-objects 1 of 2 named objects exist; 1 not verified: no permission to get priorityclasses',
  ]);
});

t.test('a Secret that an override mounts', async (t) => {
  const files = {
    'launcher.kubernetes.profiles.conf': '[*]\njob-json-overrides="/spec/template/spec/volumes/-":"DIR/volume.json"\n',
    'volume.json': '{"name":"x","secret":{"secretName":"nosuch"}}',
  };
  t.match(
    linesOf(await check(t, SMALLEST, { files }), 'named-objects')[1],
    /^failed named-objects DIR\/launcher\.kubernetes\.profiles\.conf:2: job-json-overrides: Secret nosuch does not exist/,
  );
});

t.test('a service account that is the content of an override', async (t) => {
  const files = {
    'launcher.kubernetes.profiles.conf':
      '[*]\njob-json-overrides="/spec/template/spec/serviceAccountName":"DIR/account.json","/spec/template/spec/imagePullSecrets":"DIR/pull.json"\n',
    'account.json': '"ghost"',
    'pull.json': '[{"name":"registry"}]',
  };
  const [, account = '', pull = ''] = linesOf(await check(t, SMALLEST, { files }), 'named-objects');
  t.match(account, /conf:2: job-json-overrides: ServiceAccount ghost does not exist in namespace rstudio/);
  t.match(pull, /conf:2: job-json-overrides: Secret registry does not exist in namespace rstudio/);
});

t.test('a small job of each section is sent to the API server', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\nmax-cpus=2\n\n[jane]\nmax-cpus=4\n' };
  t.strictSame(linesOf(await check(t, SMALLEST, { files }), 'sections'), [
    'ok sections the API server accepts a small job of 2 of 2 sections (dry run)',
  ]);
});

t.test('a webhook that refuses pods: each section with its line, if the account may create pods', async (t) => {
  t.teardown(cluster.denyNew('pods', 'not on Mondays'));
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\nmax-cpus=2\n' };
  const pods = { subject: ACCOUNT, namespace: 'rstudio', groups: [''], resources: ['pods'], verbs: ['create'] };
  t.match(
    linesOf(await check(t, [...SMALLEST, pods], { files }), 'sections')[0],
    /^failed sections DIR\/launcher\.kubernetes\.profiles\.conf:1: \[\*\]: a small job is refused: .*not on Mondays/,
  );
});

t.test('a webhook that refuses jobs is reported once, by the step for the namespace', async (t) => {
  t.teardown(cluster.denyNew('jobs', 'not on Sundays'));
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\nmax-cpus=2\n' };
  const outcome = await check(t, SMALLEST, { files });
  t.equal(outcome.lines.filter((line) => line.includes('not on Sundays')).length, 1);
  t.match(outcome.out, /skipped {2}sections {8}skipped because of a failure above/);
});
