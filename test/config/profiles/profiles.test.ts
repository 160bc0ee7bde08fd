/** The profile of a user: sections in the order of the file, key by key; problems and conflicts with their lines. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { effectiveProfile, type Matching, NOBODY, parseProfiles } from '../../../src/config/profiles/profiles.ts';
import { describe } from '../../../src/config/text/problem.ts';
import { problems, values } from '../options/reading.ts';

const FILE = '/etc/rstudio/launcher.kubernetes.profiles.conf';

const user = (name: string, ...groups: string[]): Matching => ({
  names: [name],
  inGroup: (group) => groups.includes(group),
});

const documented = readFileSync(new URL('../../../fixtures/config/groups.profiles.conf', import.meta.url), 'utf8');
const { profiles: DOCUMENTED, warnings: documentedWarnings } = parseProfiles(FILE, documented);
const lineOf = (line: string): number => documented.split('\n').indexOf(line) + 1;

t.test('the documented example gives any user the documented profile, each key with its line', async (t) => {
  const anybody = effectiveProfile(DOCUMENTED, user('anybody'));
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
});

t.test('the documented example gives a group more images, CPUs, memory and GPUs', async (t) => {
  t.match(values(effectiveProfile(DOCUMENTED, user('power', 'rstudio-power-users'))), {
    containerImages: ['r-session:3.4.2', 'r-session:3.5.0', 'r-session:preview'],
    allowUnknownImages: true,
    maxCpus: 20,
    maxMemMb: 20480,
    maxNvidiaGpus: 2,
    maxAmdGpus: 3,
  });
});

t.test('the documented example gives a user more CPUs, also as a member of the group', async (t) => {
  t.match(values(effectiveProfile(DOCUMENTED, user('jsmith'))), { maxCpus: 3, defaultCpus: 1, maxMemMb: 1024 });
  const both = effectiveProfile(DOCUMENTED, user('jsmith', 'rstudio-power-users'));
  t.match(values(both), { maxCpus: 3, defaultCpus: 3, maxMemMb: 20480 });
  t.same(both.defaultCpus.origin, { file: FILE, line: lineOf('max-cpus=3') });
});

t.test('the documented example has one warning', async (t) => {
  t.same(documentedWarnings.map(describe), [
    `${FILE}:${lineOf('default-cpus=4')}: default-cpus: 4 is above max-cpus=3 on line ${lineOf('max-cpus=3')}; users that match both sections get 3`,
  ]);
});

t.test('the hardened example restricts what it documents', async (t) => {
  const text = readFileSync(new URL('../../../fixtures/config/hardened.profiles.conf', import.meta.url), 'utf8');
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

t.test('key by key the last section that matches applies; lists are replaced, an empty value clears', async (t) => {
  const { profiles } = parseProfiles(
    FILE,
    '[u]\nmax-cpus=1\ncontainer-images=a\n[@g1]\nmax-cpus=2\nmax-mem-mb=10\n[*]\nmax-cpus=3\n[@g2]\ncontainer-images=b,c,b\nmax-mem-mb=\n',
  );
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

t.test('a value that is twice in a list is a warning', async (t) => {
  t.same(parseProfiles(FILE, '[*]\ncontainer-images=b,c,b\n').warnings.map(describe), [
    `${FILE}:2: container-images: lists "b" more than once`,
  ]);
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

t.test('all problems of a file are reported together, in the order of its lines', async (t) => {
  t.same(
    problems('max-cpus=1\n[]\nmax-cpus=2\n[@]\n[u]\nmax-cpu=1\ndefault-cpus=4\nmax-cpus=3\n[u]\nlonely\n[@g\nx=1\n'),
    [
      'F:1: max-cpus: is set before the first section: begin with [*], which applies to all users',
      'F:2: [] has no name: write the name of the section between [ and ]',
      'F:4: [@] names no group: write [@group]',
      'F:6: max-cpu: is not a key of profiles (did you mean "max-cpus"?)',
      'F:7: default-cpus: 4 is above max-cpus=3 on line 8',
      'F:9: section [u] is already on line 5',
      'F:10: must be name=value, a [section], or a comment that begins with # or ;',
      'F:11: the section does not end with ]: write [name]; only a # comment may follow it',
    ],
  );
});

const PAIRS = [
  ['default-cpus', 'max-cpus', 'defaultCpus'],
  ['default-mem-mb', 'max-mem-mb', 'defaultMemMb'],
  ['default-cpus-request', 'max-cpus-request', 'defaultCpusRequest'],
  ['default-mem-mb-request', 'max-mem-mb-request', 'defaultMemMbRequest'],
  ['default-nvidia-gpus', 'max-nvidia-gpus', 'defaultNvidiaGpus'],
  ['default-amd-gpus', 'max-amd-gpus', 'defaultAmdGpus'],
] as const;

t.test('a default above the maximum of the same section is refused', async (t) => {
  for (const [low, high] of PAIRS) {
    t.same(problems(`[*]\n${high}=2\n${low}=3`), [`F:3: ${low}: 3 is above ${high}=2 on line 2`]);
    t.same(problems(`[*]\n${high}=3\n${low}=3`), []);
  }
});

t.test('a default above the maximum of another section is a warning, if a user can match both', async (t) => {
  const warn = (text: string): string[] => parseProfiles('F', text).warnings.map(describe);
  for (const [low, high] of PAIRS) {
    const said = `${low}: 3 is above ${high}=2 on line 4; users that match both sections get 2`;
    t.same(warn(`[@g]\n${low}=3\n[u]\n${high}=2`), [`F:2: ${said}`]);
    t.same(warn(`[u]\n${low}=3\n[v]\n${high}=2`), [], 'nobody is two users');
    t.same(warn(`[@g]\n${low}=3\n[u]\n${high}=2\n[*]\n${low}=1`), [], 'a later section for everybody hides it');
  }
});

t.test('warnings of all kinds are in the order of their lines', async (t) => {
  const text = '[@g]\ndefault-nvidia-gpus=1\ndefault-cpus=3\n[@h]\ndefault-amd-gpus=1\n[u]\nmax-cpus=2';
  t.same(
    parseProfiles('F', text).warnings.map(({ line, option }) => `${line} ${option}`),
    ['2 default-nvidia-gpus', '3 default-cpus', '5 default-amd-gpus'],
  );
});

t.test('a default above the maximum of another section becomes that maximum', async (t) => {
  for (const [low, high, key] of PAIRS) {
    const { profiles } = parseProfiles('F', `[@g]\n${low}=3\n[u]\n${high}=2`);
    t.equal(effectiveProfile(profiles, user('u', 'g'))[key].value, 2);
  }
});

t.test('default GPUs without a maximum anywhere are a warning and no GPUs', async (t) => {
  t.same(parseProfiles('F', '[*]\ndefault-nvidia-gpus=1\n[@g]\nmax-amd-gpus=1').warnings.map(describe), [
    'F:2: default-nvidia-gpus: 1 has no effect: no section sets max-nvidia-gpus, so jobs get no GPUs',
  ]);
  t.equal(
    effectiveProfile(parseProfiles('F', '[*]\ndefault-nvidia-gpus=1').profiles, NOBODY).defaultNvidiaGpus.value,
    0,
  );
});

t.test('a default request above the maximum limit of the same section is refused', async (t) => {
  t.strictSame(problems('[*]\nmax-cpus=2\ndefault-cpus-request=4'), [
    'F:3: default-cpus-request: 4 is above max-cpus=2 on line 2',
  ]);
  t.strictSame(problems('[*]\ndefault-mem-mb-request=1024\nmax-mem-mb=512'), [
    'F:2: default-mem-mb-request: 1024 is above max-mem-mb=512 on line 3',
  ]);
  t.strictSame(problems('[*]\ndefault-cpus-request=4\nmax-cpus=0'), [], 'no maximum');
});

t.test('default GPUs in a section that allows none are refused', async (t) => {
  t.strictSame(problems('[*]\ndefault-nvidia-gpus=1\nmax-nvidia-gpus=0'), [
    'F:2: default-nvidia-gpus: 1 is above max-nvidia-gpus=0 on line 3',
  ]);
});

t.test('thousands of sections: warnings are counted, not listed', async (t) => {
  const users = Array.from({ length: 3000 }, (_, n) => `[u${n}]\nmax-cpus=2\n`).join('');
  const { profiles, warnings } = parseProfiles('F', `[*]\ndefault-cpus=4\n${users}`);
  t.equal(profiles.sections.length, 3001);
  t.equal(warnings.length, 21);
  t.same(warnings.slice(-2).map(describe), [
    'F:2: default-cpus: 4 is above max-cpus=2 on line 42; users that match both sections get 2',
    'F:2: default-cpus: 2980 more pairs of sections have this conflict',
  ]);
});

t.test('an override that is written twice is a warning; one that appends is not', async (t) => {
  const { profiles, warnings } = parseProfiles(
    'F',
    '[*]\njob-json-overrides="/a":"/b","/l/-":"/x","/a":"/c","/l/-":"/y"',
  );
  t.same(
    warnings.map(({ line, option, message }) => [line, option, message]),
    [[2, 'job-json-overrides', '"/a": written more than once; the last one applies']],
  );
  const { value } = effectiveProfile(profiles, NOBODY).jobJsonOverrides;
  t.same(
    value.map(({ pointer, file }) => `${pointer} ${file}`),
    ['/a /b', '/l/- /x', '/a /c', '/l/- /y'],
  );
});

const warningsOf = (text: string): string[] => parseProfiles('F', text).warnings.map(describe);

t.test('a section with the names of several users is a warning', async (t) => {
  const several = (name: string): string =>
    `F:1: [${name}] is read as the name of a single user: write a section for each user, or [@group]`;
  for (const name of ['bob,alice', 'bob, alice', 'bob alice']) {
    t.strictSame(warningsOf(`[${name}]\nmax-cpus=2\n`), [several(name)]);
  }
  for (const name of ['*', 'bob', 'DOMAIN\\bob', 'DOMAIN\\jane doe', '@Domain Users', '@ ds']) {
    t.strictSame(warningsOf(`[${name}]\nmax-cpus=2\n`), [], name);
  }
});

t.test('two spellings of one section are refused', async (t) => {
  const twice = (name: string): string[] => [`F:3: section [${name}] is already on line 1`];
  t.strictSame(problems('[@ds]\nmax-cpus=2\n[@ ds]\nmax-cpus=3\n'), twice('@ds'));
  t.strictSame(problems('[*]\nmax-cpus=2\n[ * ]\nmax-cpus=3\n'), twice('*'));
});
