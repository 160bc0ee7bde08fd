/** What a Pending job is advised, for messages of schedulers, kubelets and controllers as they were recorded. */
import t from 'tap';
import { pendingAdvice } from '../../src/cli/advice.ts';

const unscheduled = (why: string): string =>
  `0/1 nodes are available: ${why}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.`;

for (const [message, advice] of [
  [unscheduled('1 node(s) were unschedulable'), /^The nodes are cordoned: .*kubectl uncordon NODE/],
  [unscheduled("1 node(s) didn't have free ports for the requested pod ports"), /^No node has the published port/],
  [unscheduled('1 Insufficient cpu'), /^No node has enough free resources/],
  [unscheduled('1 Insufficient nvidia.com/gpu'), /^No node has enough free resources/],
  [unscheduled("1 node(s) didn't match Pod's node affinity/selector"), /^No node matches/],
  [unscheduled('1 node(s) had untolerated taint {dedicated: gpu}'), /^The nodes have taints/],
  [unscheduled('persistentvolumeclaim "data" not found'), /^A volume, Secret or ConfigMap is missing/],
  ['InvalidImageName: couldn\'t parse image name "Bad Image::x"', /^The image name is not valid/],
  ['ErrImagePull: failed to pull and unpack image', /^Check the name of the image/],
  ['pods "a" is forbidden: exceeded quota: small', /^The quota of the namespace is used up/],
  ['pods "a" is forbidden: no PriorityClass with name high was found', /^The priority class of the profile/],
  ['pods "a" is forbidden: error looking up service account rstudio/x', /^The service account does not exist/],
  ['MountVolume.SetUp failed for volume "s": secret "s" not found', /^A volume, Secret or ConfigMap is missing/],
] as const) {
  t.test(message, async (t) => {
    t.match(pendingAdvice(['Pending', message]), advice);
  });
}

t.test('the scheduler names no reason that is known', async (t) => {
  t.equal(pendingAdvice([unscheduled('1 node(s) are strange')]), undefined);
});
