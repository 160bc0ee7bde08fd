/** In a pod without `kubernetes-namespace`, commands name the namespace of the service account, which is where they act. */
import t, { type Test } from 'tap';
import { JOBS } from '../cluster/api/resources.ts';
import { startCluster } from '../cluster/cluster.ts';
import { linesOf, type Outcome, run, type Situation } from './harness.ts';

const cluster = await startCluster({ namespace: 'team' });
t.teardown(cluster.close);

const serviceAccountDirectory = t.testdir({ token: cluster.token, 'ca.crt': cluster.ca, namespace: 'team\n' });
const { hostname, port } = new URL(cluster.url);
const environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };

const inPod = (t: Test, args: readonly string[], situation: Situation = {}): Promise<Outcome> =>
  run(t, args, { ...situation, environment, context: { serviceAccountDirectory } });

for (const args of [
  ['jobs', 'nosuch'],
  ['explain', 'nosuch'],
  ['events', 'nosuch'],
  ['logs', 'nosuch'],
  ['logs', 'nosuch', '--follow'],
  ['stop', 'nosuch', '--yes'],
]) {
  t.test(`${args.join(' ')}: the namespace of a job that does not exist`, async (t) => {
    const { code, err } = await inPod(t, args);
    t.strictSame([code, err], [1, 'rstudio-kubernetes-launcher: there is no job nosuch in namespace team\n']);
  });
}

t.test('explain: the namespace in the kubectl command', async (t) => {
  cluster.store.create(JOBS, {
    metadata: {
      name: 'suspended',
      namespace: 'team',
      labels: { 'app.kubernetes.io/managed-by': 'launcher' },
    },
    spec: { suspend: true, template: { metadata: {}, spec: { restartPolicy: 'Never', containers: [] } } },
    status: {},
  } as never);
  const { lines } = await inPod(t, ['explain', 'suspended']);
  t.equal(
    lines.at(-1),
    `  Another client suspended the Job. To resume it: kubectl -n team patch job suspended -p '{"spec":{"suspend":false}}'`,
  );
});

t.test('jobs --watch: the namespace above the table', async (t) => {
  let reads = 0;
  // Aborted after the first table.
  const signal = Object.defineProperty(new AbortController().signal, 'aborted', { get: () => reads++ > 0 });
  const terminal = { rows: 24, columns: 80, interrupted: () => signal };
  const { out } = await inPod(t, ['jobs', '--watch'], { terminal });
  t.match(out, 'Jobs in namespace team. Ctrl-C ends.');
});

t.test('check: the namespace in the commands for another token', async (t) => {
  const directory = t.testdir({ token: 'opaque', 'ca.crt': cluster.ca, namespace: 'team' });
  const outcome = await run(t, ['check'], { environment, context: { serviceAccountDirectory: directory } });
  t.match(linesOf(outcome, 'version'), [
    /; write the token that does not expire, from the Secret that rbac creates: kubectl -n team get secret job-launcher-token -o .*; or let a timer run: kubectl -n team create token job-launcher /,
  ]);
});
