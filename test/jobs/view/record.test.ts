/** Job record: published ports fit the addresses that a network request reports; since when a job is Pending. */
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { jobId, projectJob, projectService } from '../../../src/jobs/view/projection.ts';
import { jobOf, pendingSince } from '../../../src/jobs/view/record.ts';
import { Repository } from '../../../src/jobs/view/repository.ts';
import { job, pod, START, seen } from './state-cases.ts';

/** A job with port 8787 and this Service: port 80 at the Service, 30080 at the nodes. */
function publishedPort(type: string, status: Service['status'] = {}): number | undefined {
  const annotations = { user: 'alice', service_ports: '[{"targetPort":8787,"protocol":"tcp","publishedPort":0}]' };
  const repository = new Repository();
  repository.open();
  repository.applyJob({
    type: 'ADDED',
    object: projectJob({
      metadata: { name: 'a', uid: 'u', resourceVersion: '1' },
      spec: { template: { metadata: { annotations } } },
    }),
  });
  const nodePort = type === 'ClusterIP' ? {} : { nodePort: 30_080 };
  repository.applyService({
    type: 'ADDED',
    object: projectService({
      metadata: { name: 'svc', uid: 's', resourceVersion: '2', labels: { 'job-name': 'a' } },
      spec: { type, clusterIP: '10.0.0.9', ports: [{ port: 80, targetPort: 8787, ...nodePort }] },
      ...(status === undefined ? {} : { status }),
    }),
  });
  const record = repository.get(jobId('a'));
  return record === undefined ? undefined : jobOf(record).exposedPorts[0]?.publishedPort;
}

t.test('NodePort: the port of the nodes', async (t) => {
  t.equal(publishedPort('NodePort'), 30_080);
});

t.test('ClusterIP: the port of the Service', async (t) => {
  t.equal(publishedPort('ClusterIP'), 80);
});

t.test('LoadBalancer with an address: the port of the Service', async (t) => {
  t.equal(publishedPort('LoadBalancer', { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }), 80);
});

t.test('LoadBalancer without an address yet: the port of the nodes', async (t) => {
  t.equal(publishedPort('LoadBalancer'), 30_080);
});

t.test('a job is Pending since it started, and again since its pod was replaced', async (t) => {
  const first = pod({ createdAt: START + 9_000 });
  const started = job({ startedAt: START + 5_000 });
  t.equal(pendingSince({ job: started, pod: seen(first), ran: false }), 1_795_456_805_000);
  t.equal(pendingSince({ job: started, pod: seen(first), ran: true }), 1_795_456_809_000);
  t.equal(pendingSince({ job: started, pod: seen(first, false), ran: true }), 1_795_456_805_000);
});

t.test('a suspended job is not Pending since any time', async (t) => {
  t.equal(pendingSince({ job: job({ suspended: true }), pod: undefined, ran: true }), undefined);
});
