import { readFileSync } from 'node:fs';
import t from 'tap';
import { ConfigError, describe } from '../../src/config/problem.ts';
import { PROFILE_KEYS } from '../../src/config/profile-table.ts';
import {
  type EffectiveProfile,
  effectiveProfile,
  type Matching,
  NOBODY,
  parseProfiles,
} from '../../src/config/profiles.ts';
import { parseResourceProfiles } from '../../src/config/resource-profiles.ts';

const FILE = '/etc/rstudio/launcher.kubernetes.profiles.conf';

/** What is wrong with this text; empty: nothing. */
function problems(text: string, parse: (file: string, text: string) => unknown = parseProfiles): string[] {
  try {
    parse('F', text);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(describe);
    throw error;
  }
}

const user = (name: string, ...groups: string[]): Matching => ({
  names: [name],
  inGroup: (group) => groups.includes(group),
});

function values(profile: EffectiveProfile): Record<string, unknown> {
  return Object.fromEntries(Object.entries(profile).map(([key, { value }]) => [key, value]));
}

t.test('the documented example', async (t) => {
  const text = readFileSync(new URL('../../fixtures/config/groups.profiles.conf', import.meta.url), 'utf8');
  const { profiles, warnings } = parseProfiles(FILE, text);
  const lines = text.split('\n');
  const lineOf = (line: string, nth = 0): number =>
    lines.flatMap((each, index) => (each === line ? [index + 1] : []))[nth] ?? -1;

  const anybody = effectiveProfile(profiles, user('anybody'));
  t.match(values(anybody), {
    containerImages: ['r-session:3.4.2', 'r-session:3.5.0'],
    allowUnknownImages: false,
    maxMemMb: 1024,
    maxCpus: 2,
    defaultMemMb: 512,
    defaultCpus: 1,
    maxNvidiaGpus: 0,
    maxAmdGpus: 0,
    placementConstraints: [{ name: 'node' }, { name: 'region', value: 'us' }, { name: 'region', value: 'eu' }],
  });
  t.same(anybody.maxCpus.origin, { file: FILE, line: lineOf('max-cpus=2') });
  t.same(anybody.cpuRequestRatio, { value: 1 }, 'a default comes from nowhere');

  t.match(values(effectiveProfile(profiles, user('power', 'rstudio-power-users'))), {
    containerImages: ['r-session:3.4.2', 'r-session:3.5.0', 'r-session:preview'],
    allowUnknownImages: true,
    maxCpus: 20,
    maxMemMb: 20480,
    maxNvidiaGpus: 2,
    maxAmdGpus: 3,
  });
  t.match(values(effectiveProfile(profiles, user('jsmith'))), { maxCpus: 3, defaultCpus: 1, maxMemMb: 1024 });
  const both = effectiveProfile(profiles, user('jsmith', 'rstudio-power-users'));
  t.match(values(both), { maxCpus: 3, defaultCpus: 3, maxMemMb: 20480 });
  t.same(both.defaultCpus.origin, { file: FILE, line: lineOf('max-cpus=3') });
  t.same(warnings.map(describe), [
    `${FILE}:${lineOf('default-cpus=4')}: default-cpus: 4 is above max-cpus=3 on line ${lineOf('max-cpus=3')} for users whom both sections match; their default is 3`,
  ]);
});

t.test('the hardened example is right', async (t) => {
  const text = readFileSync(new URL('../../fixtures/config/hardened.profiles.conf', import.meta.url), 'utf8');
  const { profiles, warnings } = parseProfiles(FILE, text);
  t.same(warnings, []);
  t.match(values(effectiveProfile(profiles, NOBODY)), {
    runAs: 'own',
    podSecurity: 'restricted',
    capabilities: [],
    mountTypes: ['nfs'],
    hostPaths: [],
    serviceAccounts: [],
    secrets: [],
    allowHost: false,
    allowHostPorts: false,
    allowMetadata: false,
  });
});

t.test('each key: default, a good value, and bad ones with what is said', async (t) => {
  const bool = 'must be 1 or 0 (also true, false, yes, no, on, off)';
  const cpus = 'must be a number such as 1.5 from 0 to 1000000';
  const mem = 'must be a number such as 1.5 from 0 to 1000000000000';
  const gpus = 'must be a whole number of GPUs from 0 to 1000';
  const ratio = 'must be a number above 0 and at most 1, such as 0.5';
  const comma = (item: string): string => `a comma-separated list, each ${item}`;
  const name = 'a Kubernetes name (lower-case letters, digits, - and .)';
  const image = comma('the name of an image, without blanks');
  const constraint = comma('key:value or key, as the labels of nodes are written');
  const toleration = comma(
    'key=value:Effect, key:Effect or key, with the effect NoSchedule, PreferNoSchedule, NoExecute',
  );
  const nodeLabel = comma('key=value, as the labels of nodes are written');
  const filled = '({user}, {group}, {name}, {resource-profile} are filled in)';
  const label = comma(`key=value, as Kubernetes writes labels ${filled}`);
  const annotation = comma(`key=value, the key as Kubernetes writes them ${filled}`);
  const capability = 'a Linux capability such as NET_ADMIN, or ALL';
  const deadline = 'must be a whole number from 0 to 2147483647';
  const overrides = 'must be "pointer":"file","pointer2":"file2": ';
  const rows: [key: string, fallback: unknown, good: Record<string, unknown>, bad: Record<string, string>][] = [
    [
      'container-images',
      [],
      { 'a:1, b@sha256:0': ['a:1', 'b@sha256:0'] },
      { 'a:1,,b': `must be ${image}; an item is empty`, 'a b': `must be ${image}; "a b" is not` },
    ],
    ['default-container-image', undefined, { 'r:4': 'r:4' }, { 'r 4': 'must be the name of an image, without blanks' }],
    ['allow-unknown-images', true, { '0': false, YES: true }, { maybe: bool }],
    [
      'placement-constraints',
      [],
      { 'zone:a, example.com/pool': [{ name: 'zone', value: 'a' }, { name: 'example.com/pool' }] },
      {
        'zone:': `must be ${constraint}; "zone:" is not`,
        'a b': `must be ${constraint}; "a b" is not`,
        'z:a:b': `must be ${constraint}; "z:a:b" is not`,
      },
    ],
    [
      'default-cpus',
      0,
      { '0.5': 0.5, '0.0': 0, '1.000000': 1 },
      { '.5': cpus, '1e3': cpus, '1,5': cpus, '-1': cpus, '+1': cpus, NaN: cpus, '0x1': cpus },
    ],
    ['default-mem-mb', 0, { '512': 512 }, { '512M': mem }],
    ['max-cpus', 0, { '8': 8 }, { two: cpus, '1000001': cpus }],
    ['max-mem-mb', 0, { '1024.5': 1024.5 }, { Infinity: mem }],
    ['cpu-request-ratio', 1, { '0.25': 0.25, '1': 1 }, { '0': ratio, '1.01': ratio, '-0.5': ratio, half: ratio }],
    ['memory-request-ratio', 1, { '0.5': 0.5 }, { '0.0': ratio }],
    ['default-cpus-request', 0, { '0.1': 0.1 }, { x: cpus }],
    ['max-cpus-request', 0, { '2': 2 }, { x: cpus }],
    ['default-mem-mb-request', 0, { '100': 100 }, { x: mem }],
    ['max-mem-mb-request', 0, { '200': 200 }, { x: mem }],
    ['default-nvidia-gpus', 0, { '0': 0 }, { '0.5': gpus }],
    ['default-amd-gpus', 0, { '0.000000': 0 }, { '-1': gpus }],
    ['max-nvidia-gpus', 0, { '2.000000': 2 }, { '1.5': gpus }],
    ['max-amd-gpus', 0, { '3': 3 }, { all: gpus }],
    [
      'job-json-overrides',
      [],
      {
        '"/spec/template/spec/hostAliases":"/etc/a" , "/a~1b/~0/-":"/etc/b#c"': [
          {
            pointer: '/spec/template/spec/hostAliases',
            tokens: ['spec', 'template', 'spec', 'hostAliases'],
            file: '/etc/a',
          },
          { pointer: '/a~1b/~0/-', tokens: ['a/b', '~', '-'], file: '/etc/b#c' },
        ],
        '"/a":"/b"': [{ pointer: '/a', tokens: ['a'], file: '/b' }],
      },
      {
        '/a:/b': `${overrides}what begins at character 1 is not a pair of texts in double quotes`,
        '"/a":"/b",': `${overrides}what begins at character 1 is not a pair of texts in double quotes`,
        '"/a":"/b" "/c":"/d"': `${overrides}what begins at character 1 is not a pair of texts in double quotes`,
        spec: `${overrides}what begins at character 1 is not a pair of texts in double quotes`,
        '"spec":"/b"': `${overrides}"spec" is not a JSON pointer such as /spec/template/spec/hostAliases (RFC 6901)`,
        '"":"/b"': `${overrides}"" is not a JSON pointer such as /spec/template/spec/hostAliases (RFC 6901)`,
        '"/a~2":"/b"': `${overrides}"/a~2" is not a JSON pointer such as /spec/template/spec/hostAliases (RFC 6901)`,
        '"/a/__proto__/x":"/b"': `${overrides}"/a/__proto__/x" holds __proto__`,
        '"/constructor":"/b"': `${overrides}"/constructor" holds constructor`,
        '"/a":"/b","/a":"/c"': `${overrides}"/a" stands there twice`,
        '"/a":"b"': `${overrides}"b" is not an absolute path`,
      },
    ],
    [
      'resource-profiles',
      'any',
      { 'small, big': ['small', 'big'], all: 'any', none: [] },
      { 'a,,b': 'must be all, any, none or a comma-separated list, each a name; an item is empty' },
    ],
    ['allow-custom-resources', true, { '0': false }, { x: bool }],
    ['image-pull-policy', undefined, { Always: 'Always' }, { always: 'must be one of Always, IfNotPresent, Never' }],
    ['image-pull-secrets', [], { 'reg, reg2': ['reg', 'reg2'] }, { Reg: `must be ${comma(name)}; "Reg" is not` }],
    ['service-account', undefined, { 'sa-1': 'sa-1' }, { SA: `must be ${name}` }],
    [
      'tolerations',
      [],
      {
        'gpu=yes:NoSchedule,spot:NoExecute,any': [
          { key: 'gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' },
          { key: 'spot', operator: 'Exists', effect: 'NoExecute' },
          { key: 'any', operator: 'Exists' },
        ],
      },
      { 'gpu:Never': `must be ${toleration}; "gpu:Never" is not`, '=x': `must be ${toleration}; "=x" is not` },
    ],
    [
      'node-selector',
      [],
      {
        'pool=batch,example.com/a=': [
          { key: 'pool', value: 'batch' },
          { key: 'example.com/a', value: '' },
        ],
      },
      { pool: `must be ${nodeLabel}; "pool" is not`, 'a=1,a=2': `must be ${nodeLabel}; "a" has two values` },
    ],
    ['priority-class', undefined, { high: 'high' }, { 'very high': `must be ${name}` }],
    ['run-as-non-root', false, { on: true }, { x: bool }],
    [
      'drop-capabilities',
      [],
      { 'cap_net_raw,ALL': ['NET_RAW', 'ALL'], none: [] },
      { 'net-raw': `must be none or ${comma(capability)}; "net-raw" is not` },
    ],
    ['pod-security', undefined, { restricted: 'restricted' }, { baseline: 'must be one of restricted' }],
    [
      'automount-service-account-token',
      'auto',
      { '1': true, '0': false, auto: 'auto' },
      { x: 'must be auto, 1 or 0 (also true, false, yes, no, on, off)' },
    ],
    ['active-deadline-seconds', 0, { '3600': 3600 }, { '1.5': deadline, '2147483648': deadline }],
    [
      'job-labels',
      [],
      {
        'team=r,owner={user}-x': [
          { key: 'team', value: 'r' },
          { key: 'owner', value: '{user}-x' },
        ],
      },
      {
        'owner={usr}': `must be ${label}; "owner={usr}" is not`,
        'a=b c': `must be ${label}; "a=b c" is not`,
        'job-name=x': `must be ${label}; "job-name" is the launcher's own`,
        'x.kubernetes.io/a=b': `must be ${label}; "x.kubernetes.io/a" is the launcher's own`,
      },
    ],
    [
      'job-annotations',
      [],
      { 'note=for {user}: {name}': [{ key: 'note', value: 'for {user}: {name}' }] },
      {
        'a b=c': `must be ${annotation}; "a b=c" is not`,
        'user=root': `must be ${annotation}; "user" is the launcher's own`,
        'job-launcher/result=x': `must be ${annotation}; "job-launcher/result" is the launcher's own`,
      },
    ],
    [
      'mount-types',
      'any',
      { 'nfs,passthrough': ['nfs', 'passthrough'], none: [], all: 'any', any: 'any' },
      { '': 'has no value: write none, or leave the line out' },
    ],
    [
      'host-paths',
      'any',
      { '/a,/b/c': ['/a', '/b/c'], none: [], any: 'any' },
      {
        '': 'has no value: write none, or leave the line out',
        '/a/../b': `must be any, none or ${comma('an absolute path without ..')}; "/a/../b" is not`,
      },
    ],
    [
      'run-as',
      'any',
      { own: 'own', any: 'any' },
      { '': 'has no value: write none, or leave the line out', root: 'must be one of any, own' },
    ],
    [
      'service-accounts',
      'any',
      { 'a,b': ['a', 'b'], none: [] },
      { '': 'has no value: write none, or leave the line out', A: `must be any, none or ${comma(name)}; "A" is not` },
    ],
    [
      'secrets',
      'any',
      { a: ['a'], none: [] },
      {
        '': 'has no value: write none, or leave the line out',
        'a,none': `must be any, none or ${comma(name)}; "none" stands alone`,
      },
    ],
    [
      'capabilities',
      'any',
      { cap_sys_ptrace: ['SYS_PTRACE'], none: [] },
      { '': 'has no value: write none, or leave the line out' },
    ],
    ['allow-host', true, { '0': false }, { '': 'has no value: write none, or leave the line out', x: bool }],
    ['allow-host-ports', true, { '0': false }, { x: bool }],
    ['allow-metadata', true, { '0': false }, { x: bool }],
  ];
  t.same(
    rows.map(([key]) => key),
    PROFILE_KEYS,
    'all of them, in their order',
  );
  const camel = (key: string): string => key.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const nothing = values(effectiveProfile(parseProfiles('F', '').profiles, NOBODY));
  for (const [key, fallback, good, bad] of rows) {
    t.same(nothing[camel(key)], fallback, `${key}: default`);
    for (const [text, value] of Object.entries(good)) {
      const { profiles } = parseProfiles('F', `[*]\n${key} = ${text}`);
      const setting = effectiveProfile(profiles, NOBODY)[camel(key) as keyof EffectiveProfile];
      t.same(setting, { value, origin: { file: 'F', line: 2 } }, `${key}=${text}`);
    }
    for (const [text, said] of Object.entries(bad)) {
      const echo = text === '' ? '' : `"${text}" `;
      t.same(problems(`[*]\n\n${key}=${text}`), [`F:3: ${key}: ${echo}${said}`], `${key}=${text}`);
    }
  }
});

t.test('key by key, the last section that matches wins; lists are replaced; an empty value clears', async (t) => {
  const { profiles, warnings } = parseProfiles(
    FILE,
    '[u]\nmax-cpus=1\ncontainer-images=a\n[@g1]\nmax-cpus=2\nmax-mem-mb=10\n[*]\nmax-cpus=3\n[@g2]\ncontainer-images=b,c,b\nmax-mem-mb=\n',
  );
  t.same(warnings.map(describe), [`${FILE}:10: container-images: names "b" more than once`]);
  const of = (matching: Matching): unknown[] => {
    const { maxCpus, maxMemMb, containerImages } = values(effectiveProfile(profiles, matching));
    return [maxCpus, maxMemMb, containerImages];
  };
  t.same(of(NOBODY), [3, 0, []]);
  t.same(of(user('u')), [3, 0, ['a']], 'also a section of a kind that is less special');
  t.same(of(user('x', 'g1')), [3, 10, []]);
  t.same(of(user('u', 'g1', 'g2')), [3, 0, ['b', 'c']]);
  t.same(effectiveProfile(profiles, user('u', 'g1', 'g2')).maxMemMb.origin?.line, 11, 'the line that cleared it');
});

t.test('section names keep their order and their characters', async (t) => {
  const names = ['1001', '2', '__proto__', 'j.doe@corp.example', 'CORP\\jane', 'constructor', 'with blank'];
  const { profiles } = parseProfiles(
    FILE,
    `[*]\n${names.map((name, index) => `[${name}]\nmax-cpus=${index + 1}\n`).join('')}[@domain users]\nmax-cpus=9`,
  );
  t.same(
    profiles.sections.map(({ name }) => name),
    ['', ...names, 'domain users'],
  );
  names.forEach((name, index) => {
    t.equal(effectiveProfile(profiles, user(name)).maxCpus.value, index + 1, name);
  });
  t.equal(effectiveProfile(profiles, { names: ['jane', 'CORP\\jane'], inGroup: () => false }).maxCpus.value, 5);
  t.equal(effectiveProfile(profiles, user('2', 'domain users')).maxCpus.value, 9);
});

t.test('all problems at once', async (t) => {
  t.same(
    problems('max-cpus=1\n[]\nmax-cpus=2\n[@]\n[u]\nmax-cpu=1\ndefault-cpus=4\nmax-cpus=3\n[u]\nlonely\n[@g\nx=1\n'),
    [
      'F:2: a section needs a name: []',
      'F:9: section [u] is already on line 5',
      'F:10: must be name=value, a [section], or a comment that begins with # or ;',
      'F:11: a section must be written as [name], with nothing but a # comment after it',
      'F:1: max-cpus: stands before the first section: begin with [*], for everybody',
      'F:4: [@] names no group: write [@group]',
      'F:6: max-cpu: is not a key of profiles (did you mean "max-cpus"?)',
      'F:7: default-cpus: 4 is above max-cpus=3 on line 8',
    ],
  );
});

t.test('defaults above maxima: refused in one section, a warning across sections', async (t) => {
  const pairs = [
    ['default-cpus', 'max-cpus'],
    ['default-mem-mb', 'max-mem-mb'],
    ['default-cpus-request', 'max-cpus-request'],
    ['default-mem-mb-request', 'max-mem-mb-request'],
    ['default-nvidia-gpus', 'max-nvidia-gpus'],
    ['default-amd-gpus', 'max-amd-gpus'],
  ];
  for (const [low = '', high = ''] of pairs) {
    t.same(problems(`[*]\n${high}=2\n${low}=3`), [`F:3: ${low}: 3 is above ${high}=2 on line 2`]);
    t.same(problems(`[*]\n${high}=3\n${low}=3`), []);
    const warn = (text: string): string[] => parseProfiles('F', text).warnings.map(describe);
    const said = `${low}: 3 is above ${high}=2 on line 4 for users whom both sections match; their default is 2`;
    t.same(warn(`[@g]\n${low}=3\n[u]\n${high}=2`), [`F:2: ${said}`]);
    t.same(warn(`[u]\n${low}=3\n[v]\n${high}=2`), [], 'nobody is two users');
    t.same(warn(`[@g]\n${low}=3\n[u]\n${high}=2\n[*]\n${low}=1`), [], 'a later section for everybody hides it');
    const { profiles } = parseProfiles('F', `[@g]\n${low}=3\n[u]\n${high}=2`);
    const camel = low.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()) as 'defaultCpus';
    t.equal(effectiveProfile(profiles, user('u', 'g'))[camel].value, 2);
  }
  t.same(parseProfiles('F', '[*]\ndefault-nvidia-gpus=1\n[@g]\nmax-amd-gpus=1').warnings.map(describe), [
    'F:2: default-nvidia-gpus: 1 has no effect: no section sets max-nvidia-gpus, and without a maximum there are no GPUs',
  ]);
  t.equal(
    effectiveProfile(parseProfiles('F', '[*]\ndefault-nvidia-gpus=1').profiles, NOBODY).defaultNvidiaGpus.value,
    0,
  );
});

t.test('thousands of sections: warnings are counted, not listed', async (t) => {
  const users = Array.from({ length: 3000 }, (_, n) => `[u${n}]\nmax-cpus=2\n`).join('');
  const { profiles, warnings } = parseProfiles('F', `[*]\ndefault-cpus=4\n${users}`);
  t.equal(profiles.sections.length, 3001);
  t.equal(warnings.length, 21);
  t.same(warnings.slice(-2).map(describe), [
    'F:2: default-cpus: 4 is above max-cpus=2 on line 42 for users whom both sections match; their default is 2',
    'F:2: default-cpus: and 2980 more such pairs of sections',
  ]);
});

t.test('resource profiles', async (t) => {
  const { profiles, warnings } = parseResourceProfiles(
    'R',
    '[small]\nname=Small one\ncpus=0.5\ncpus-request=0.25\nmem-mb=512\nmem-mb-request=256\n[10]\nnvidia-gpus=1.000000\namd-gpus=2\nplacement-constraints=zone:a,pool:gpu\n[1-big]\ncpus=\n[custom]\nname=My own\n',
  );
  const at = (line: number): object => ({ file: 'R', line });
  t.same(warnings, []);
  t.same(profiles, [
    {
      id: 'small',
      name: 'Small one',
      ...at(1),
      cpus: { value: 0.5, origin: at(3) },
      cpusRequest: { value: 0.25, origin: at(4) },
      memMb: { value: 512, origin: at(5) },
      memMbRequest: { value: 256, origin: at(6) },
    },
    {
      id: '10',
      name: '10',
      ...at(7),
      nvidiaGpus: { value: 1, origin: at(8) },
      amdGpus: { value: 2, origin: at(9) },
      placementConstraints: {
        value: [
          { name: 'zone', value: 'a' },
          { name: 'pool', value: 'gpu' },
        ],
        origin: at(10),
      },
    },
    { id: '1-big', name: '1-big', ...at(11) },
    { id: 'custom', name: 'My own', ...at(13) },
  ]);
  t.same(
    problems(
      'cpus=1\n[a]\ncpu=1\ncpus=x\nnvidia-gpus=0.5\nplacement-constraints=zone\n[a]\n[custom]\ncpus=1\n',
      parseResourceProfiles,
    ),
    [
      'F:7: section [a] is already on line 2',
      'F:1: cpus: stands before the first section: begin with [name-of-profile]',
      'F:3: cpu: is not a key of resource profiles (did you mean "cpus"?)',
      'F:4: cpus: "x" must be a number such as 1.5 from 0 to 1000000',
      'F:5: nvidia-gpus: "0.5" must be a whole number of GPUs from 0 to 1000',
      'F:6: placement-constraints: "zone" must be a comma-separated list, each key:value, each key once; "zone" is not',
      'F:9: cpus: has no meaning in [custom], which stands for the values of the job itself',
    ],
  );
});
