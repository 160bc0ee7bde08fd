/** Which Service is the job's, where more than one belongs to its Job: meshes and operators copy owners along. */
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { jobId, projectJob, projectService } from '../../../src/jobs/view/projection.ts';
import { Repository } from '../../../src/jobs/view/repository.ts';

const serviceOf = (name: string, resourceVersion: string) => {
  const service: Service = {
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion,
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'job-1', uid: 'u-1' }],
    },
    spec: { ports: [{ port: 8787, targetPort: 8787 }] },
  };
  return projectService(service);
};
const own = serviceOf('job-1', '2');
const other = serviceOf('job-1-mesh', '3');

function repository() {
  const opened = new Repository();
  opened.open();
  opened.applyJob({
    type: 'ADDED',
    object: projectJob({ metadata: { name: 'job-1', uid: 'u-1', resourceVersion: '1' } }),
  });
  const shown = (): string | undefined => opened.get(jobId('job-1'))?.service?.uid;
  return { apply: opened.applyService, get: (id: string) => opened.get(jobId(id)), shown };
}

t.test('the one named like the Job, in whichever order they come', async (t) => {
  for (const order of [
    [own, other],
    [other, own],
  ]) {
    const { apply, shown } = repository();
    for (const object of order) apply({ type: 'ADDED', object });
    t.equal(shown(), 'uid-job-1');
  }
});

t.test('the deletion of another one changes nothing', async (t) => {
  const { apply, shown } = repository();
  for (const object of [own, other]) apply({ type: 'ADDED', object });
  apply({ type: 'DELETED', object: other, found: 'watch' });
  t.equal(shown(), 'uid-job-1');
  apply({ type: 'DELETED', object: own, found: 'watch' });
  t.equal(shown(), undefined);
});

t.test('one of another name is as good while there is none of its own, and is kept up to date', async (t) => {
  const { apply, get } = repository();
  apply({ type: 'ADDED', object: other });
  apply({ type: 'MODIFIED', object: serviceOf('job-1-mesh', '4') });
  t.equal(get('job-1')?.service?.resourceVersion, '4');
});
