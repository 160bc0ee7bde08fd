/** Capabilities that a profile drops, and annotations that would switch off AppArmor. */
import t from 'tap';
import { refused } from './policed.ts';

const add = (...capabilitiesAdd: string[]) => ({ container: { image: 'r:4', capabilitiesAdd } });
const said = (name: string): string => `container.capabilitiesAdd: ${name} is not allowed (drop-capabilities, F:2).`;

t.test('a capability that the profile drops cannot be added', async (t) => {
  t.equal(refused('drop-capabilities=ALL', add('SYS_ADMIN')), said('SYS_ADMIN'));
  t.equal(refused('drop-capabilities=NET_RAW', add('cap_net_raw')), said('cap_net_raw'));
});

t.test('a capability that the profile drops cannot be added with all others', async (t) => {
  t.equal(refused('drop-capabilities=NET_RAW', add('ALL')), said('ALL'));
});

t.test('a capability that the profile does not drop can be added', async (t) => {
  t.equal(refused('drop-capabilities=NET_RAW', add('SYS_PTRACE')), 'allowed');
});

t.test('a dropped capability comes back if `capabilities` names it', async (t) => {
  const lines = 'drop-capabilities=ALL\ncapabilities=NET_BIND_SERVICE';
  t.equal(refused(lines, add('NET_BIND_SERVICE')), 'allowed');
  t.equal(refused(lines, add('SYS_ADMIN')), 'container.capabilitiesAdd: SYS_ADMIN is not allowed (capabilities, F:3).');
});

t.test('pod-security=restricted allows NET_BIND_SERVICE alone', async (t) => {
  t.equal(refused('pod-security=restricted', add('NET_BIND_SERVICE')), 'allowed');
  t.equal(
    refused('pod-security=restricted', add('CHOWN')),
    'container.capabilitiesAdd: CHOWN is not allowed (pod-security, F:2).',
  );
});

const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/rs-launcher-container';
const annotated = (key: string, value: string) => ({ metadata: { pod: { annotations: { [key]: value } } } });

t.test('pod-security=restricted refuses an annotation that switches off AppArmor', async (t) => {
  t.equal(
    refused('pod-security=restricted', annotated(APPARMOR, 'unconfined')),
    `metadata.pod.annotations: ${APPARMOR}=unconfined is not allowed (pod-security, F:2).`,
  );
});

t.test('pod-security=restricted allows the AppArmor profiles of runtime and node', async (t) => {
  t.equal(refused('pod-security=restricted', annotated(APPARMOR, 'runtime/default')), 'allowed');
  t.equal(refused('pod-security=restricted', annotated(APPARMOR, 'localhost/r-session')), 'allowed');
});

t.test('pod-security=restricted refuses an annotation that switches off seccomp', async (t) => {
  t.equal(
    refused('pod-security=restricted', annotated('seccomp.security.alpha.kubernetes.io/pod', 'unconfined')),
    'metadata.pod.annotations: seccomp.security.alpha.kubernetes.io/pod=unconfined is not allowed (pod-security, F:2).',
  );
});
