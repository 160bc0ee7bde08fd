/** Cluster info offers what the user may choose, and nothing that their profile refuses. */
import t from 'tap';
import { effectiveProfile, parseProfiles } from '../../../src/config/profiles/profiles.ts';
import { parseResourceProfiles } from '../../../src/config/profiles/resource-profiles.ts';
import { clusterInfo } from '../../../src/jobs/policy/cluster-info.ts';
import { OWN_ACCOUNT, RESOURCES } from './policed.ts';

t.test('cluster info of a user', async (t) => {
  const info = (lines: string, accounts: readonly string[] | 'forbidden' = ['default', 'job-launcher', 'sa1']) =>
    clusterInfo({
      profile: effectiveProfile(parseProfiles('F', `[*]\n${lines}`).profiles, { names: [], inGroup: () => false }),
      resourceProfiles: parseResourceProfiles('R', RESOURCES).profiles,
      serviceAccounts: accounts === 'forbidden' ? undefined : accounts,
      ownAccount: OWN_ACCOUNT,
    });
  t.same(info(''), {
    allowUnknownImages: true,
    images: [],
    defaultImage: '',
    config: [
      { name: 'secret', valueType: 'string', value: '' },
      { name: 'serviceAccountName', valueType: 'enum', value: 'default,sa1' },
    ],
    resourceLimits: [{ type: 'cpuCount' }, { type: 'CPU Request' }, { type: 'memory' }, { type: 'Memory Request' }],
    placementConstraints: [],
    resourceProfiles: [
      {
        name: 'small',
        displayName: 'small',
        limits: [
          { type: 'cpuCount', value: '1' },
          { type: 'CPU Request', value: '0.5' },
          { type: 'memory', value: '512' },
          { type: 'Memory Request', value: '256' },
        ],
        placementConstraints: [],
      },
      {
        name: 'huge',
        displayName: 'huge',
        limits: [
          { type: 'cpuCount', value: '64' },
          { type: 'NVIDIA GPUs', value: '2' },
        ],
        placementConstraints: [],
      },
      { name: 'placed', displayName: 'placed', limits: [], placementConstraints: [{ name: 'pool', value: 'gpu' }] },
    ],
  });
  const full = info(`container-images=b:1,a:1
default-container-image=d:1
allow-unknown-images=0
default-cpus=0.50
max-cpus=2.0
default-mem-mb=512
default-cpus-request=0.25
max-mem-mb-request=100
max-nvidia-gpus=2
default-nvidia-gpus=1
placement-constraints=node,region:us,region:eu
resource-profiles=huge
service-accounts=sa1,job-launcher`);
  t.same(full.images, ['a:1', 'b:1', 'd:1']);
  t.equal(full.defaultImage, 'd:1');
  t.equal(full.allowUnknownImages, false);
  t.same(full.resourceLimits, [
    { type: 'cpuCount', defaultValue: '0.5', maxValue: '2' },
    { type: 'CPU Request', defaultValue: '0.25' },
    { type: 'memory', defaultValue: '512' },
    { type: 'Memory Request', maxValue: '100' },
    { type: 'NVIDIA GPUs', defaultValue: '1', maxValue: '2' },
  ]);
  t.same(full.placementConstraints, [
    { name: 'node', value: '' },
    { name: 'region', value: 'us' },
    { name: 'region', value: 'eu' },
  ]);
  t.same(
    full.resourceProfiles.map(({ name }) => name),
    ['huge'],
  );
  t.same(full.config.at(-1), { name: 'serviceAccountName', valueType: 'enum', value: 'sa1' });
  t.same(info('', 'forbidden').config, full.config.slice(0, 1), 'listing accounts is forbidden');
  t.same(info('resource-profiles=none').resourceProfiles, []);
});
