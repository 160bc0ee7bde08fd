/** Each key of profiles has the documented default, takes what it should, and refuses anything else with the line and why. */
import t from 'tap';
import { PROFILE_KEYS, type ProfileKey, profileRow } from '../../../src/config/profiles/profile-table.ts';
import {
  type EffectiveProfile,
  effectiveProfile,
  NOBODY,
  parseProfiles,
} from '../../../src/config/profiles/profiles.ts';
import { problems, values } from '../options/reading.ts';

t.test('each key: default, a good value, and bad ones with what is said', async (t) => {
  const bool = 'must be 1 or 0 (also true, false, yes, no, on, off)';
  const cpus = 'must be a number such as 1.5 from 0 to 1000000';
  const mem = 'must be a number such as 1.5 from 0 to 1000000000000';
  const gpus = 'must be a whole number of GPUs from 0 to 1000';
  const ratio = 'must be a number above 0 and at most 1, such as 0.5';
  const comma = (item: string): string => `a comma-separated list, each ${item}`;
  const name = 'a Kubernetes name (lower-case letters, digits, - and .)';
  const image = comma('an image name: letters, digits and . _ / : @ + -');
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
    [
      'default-container-image',
      undefined,
      { 'r:4': 'r:4' },
      { 'r 4': 'must be an image name: letters, digits and . _ / : @ + -' },
    ],
    ['allow-unknown-images', true, { '0': false, YES: true }, { maybe: bool }],
    [
      'placement-constraints',
      [],
      {
        'zone:a, example.com/pool': [{ name: 'zone', value: 'a' }, { name: 'example.com/pool' }],
        'kubernetes.io/arch=amd64': [{ name: 'kubernetes.io/arch', value: 'amd64' }],
      },
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
        '/a:/b': `${overrides}expected "pointer":"file" at character 1`,
        '"/a":"/b",': `${overrides}expected "pointer":"file" at character 1`,
        '"/a":"/b" "/c":"/d"': `${overrides}expected "pointer":"file" at character 1`,
        spec: `${overrides}expected "pointer":"file" at character 1`,
        '"spec":"/b"': `${overrides}"spec" is not a JSON pointer such as /spec/template/spec/hostAliases (RFC 6901)`,
        '"":"/b"': `${overrides}"" is not a JSON pointer such as /spec/template/spec/hostAliases (RFC 6901)`,
        '"/a~2":"/b"': `${overrides}"/a~2" is not a JSON pointer such as /spec/template/spec/hostAliases (RFC 6901)`,
        '"/a/__proto__/x":"/b"': `${overrides}"/a/__proto__/x" contains __proto__`,
        '"/constructor":"/b"': `${overrides}"/constructor" contains constructor`,
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
    ['default-resource-profile', undefined, { small: 'small' }, {}],
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
      'fail-pending-reasons',
      [],
      { 'InvalidImageName,ErrImagePull': ['InvalidImageName', 'ErrImagePull'], none: [] },
      {
        errimagepull:
          'must be none or a comma-separated list, each a reason of Kubernetes such as InvalidImageName; "errimagepull" is not',
      },
    ],
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
        'job-name=x': `must be ${label}; "job-name" is reserved for the plugin`,
        'x.kubernetes.io/a=b': `must be ${label}; "x.kubernetes.io/a" is reserved for the plugin`,
      },
    ],
    [
      'job-annotations',
      [],
      { 'note=for {user}: {name}': [{ key: 'note', value: 'for {user}: {name}' }] },
      {
        'a b=c': `must be ${annotation}; "a b=c" is not`,
        'user=root': `must be ${annotation}; "user" is reserved for the plugin`,
        'job-launcher/result=x': `must be ${annotation}; "job-launcher/result" is reserved for the plugin`,
      },
    ],
    [
      'mount-types',
      'any',
      { 'nfs,passthrough': ['nfs', 'passthrough'], none: [], all: 'any', any: 'any' },
      { '': `has no value: write all, any, none or ${comma('a name')}; or remove the line` },
    ],
    [
      'volume-kinds',
      'any',
      { 'persistentVolumeClaim,emptyDir': ['persistentVolumeClaim', 'emptyDir'], none: [] },
      { 'a b': `must be any, none or ${comma('a kind of Kubernetes volume such as configMap')}; "a b" is not` },
    ],
    [
      'claims',
      'any',
      { 'home-{user},data-{group}': ['home-{user}', 'data-{group}'], none: [] },
      { '{name}': `must be any, none or ${comma(`${name}; {user} and {group} are replaced`)}; "{name}" is not` },
    ],
    [
      'config-maps',
      'any',
      { 'settings,{user}': ['settings', '{user}'], any: 'any' },
      { A: `must be any, none or ${comma(`${name}; {user} and {group} are replaced`)}; "A" is not` },
    ],
    [
      'host-paths',
      'any',
      { '/a,/b/c': ['/a', '/b/c'], none: [], any: 'any' },
      {
        '': `has no value: write any, none or ${comma('an absolute path without ..')}; or remove the line`,
        '/a/../b': `must be any, none or ${comma('an absolute path without ..')}; "/a/../b" is not`,
      },
    ],
    [
      'run-as',
      'any',
      { own: 'own', any: 'any' },
      { '': 'has no value: write one of any, own; or remove the line', root: 'must be one of any, own' },
    ],
    [
      'service-accounts',
      'any',
      { 'a,b': ['a', 'b'], none: [] },
      {
        '': `has no value: write any, none or ${comma(name)}; or remove the line`,
        A: `must be any, none or ${comma(name)}; "A" is not`,
      },
    ],
    [
      'secrets',
      'any',
      { a: ['a'], none: [] },
      {
        '': `has no value: write any, none or ${comma(name)}; or remove the line`,
        'a,none': `must be any, none or ${comma(name)}; "none" cannot be combined with other items`,
      },
    ],
    [
      'capabilities',
      'any',
      { cap_sys_ptrace: ['SYS_PTRACE'], none: [] },
      {
        '': `has no value: write any, none or ${comma('a Linux capability such as NET_ADMIN, or ALL')}; or remove the line`,
      },
    ],
    [
      'allow-host',
      true,
      { '0': false },
      { '': 'has no value: write 1 or 0 (also true, false, yes, no, on, off); or remove the line', x: bool },
    ],
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
      const { kind } = profileRow(key as ProfileKey);
      const printed = kind.parse(kind.write(value));
      t.same(printed.ok && printed.value, value, `${key}=${text}: what \`profile\` prints can be written`);
    }
    for (const [text, said] of Object.entries(bad)) {
      const echo = text === '' ? '' : `"${text}" `;
      t.same(problems(`[*]\n\n${key}=${text}`), [`F:3: ${key}: ${echo}${said}`], `${key}=${text}`);
    }
  }
});

t.test('quotes are not part of an image name', async (t) => {
  const refused = (key: string, value: string, kind: string, why = ''): string =>
    `F:2: ${key}: "${value}" must be ${kind}an image name: letters, digits and . _ / : @ + -${why}`;
  for (const image of [
    "'r:1'",
    'r:"1',
    '\u201cr:1\u201d',
    '\u2018r:1\u2019',
    '\u201er:1\u201c',
    '\u00abr:1\u00bb',
    '`r:1`',
  ]) {
    t.strictSame(problems(`[*]\ndefault-container-image=${image}\n`), [refused('default-container-image', image, '')]);
  }
  const list = '"r:1","r:2"';
  t.strictSame(problems(`[*]\ncontainer-images=${list}\n`), [
    refused('container-images', list, 'a comma-separated list, each ', '; ""r:1"" is not'),
  ]);
  t.strictSame(problems('[*]\ndefault-container-image="r:1"\n'), [], 'one pair around the whole is none of its');
});
