/** `profile` shows the profile of a user with places. */
import t from 'tap';
import { documented } from './documented.ts';
import { run } from './harness.ts';

t.test('profile lists each key with value, file and line', async (t) => {
  const power = await run(t, ['profile', 'jsmith'], documented);
  t.equal(power.code, 0);
  t.equal(
    power.err,
    'warning: DIR/launcher.kubernetes.profiles.conf:14: default-cpus: 4 is above max-cpus=3 on line 26; users that match both sections get 3\n',
  );
  t.strictSame(power.lines.slice(0, 14), [
    'jsmith (uid 1001, groups 100, 500)',
    '[*] line 4, [@rstudio-power-users] line 13, [jsmith] line 25, of DIR/launcher.kubernetes.profiles.conf',
    '',
    'KEY                              VALUE                                              FROM',
    'container-images                 r-session:3.4.2,r-session:3.5.0,r-session:preview  line 22',
    'default-container-image          -                                                  default',
    'allow-unknown-images             1                                                  line 23',
    'placement-constraints            node,region:us,region:eu                           line 5',
    'default-cpus                     3                                                  line 26',
    'default-mem-mb                   4096                                               line 15',
    'max-cpus                         3                                                  line 26',
    'max-mem-mb                       20480                                              line 21',
    'cpu-request-ratio                1.0                                                default',
    'memory-request-ratio             1.0                                                default',
  ]);
});

t.test('profile --json', async (t) => {
  const json = JSON.parse((await run(t, ['profile', 'jane', '--json'], documented)).out);
  t.strictSame([json.user, json.uid, json.groups], ['jane', 1002, [100]]);
  t.strictSame(json.sections, [
    { kind: 'everybody', name: '', file: 'DIR/launcher.kubernetes.profiles.conf', line: 4 },
  ]);
  t.strictSame(json.profile['max-cpus'], { value: 2, file: 'DIR/launcher.kubernetes.profiles.conf', line: 8 });
  t.strictSame(json.profile['default-container-image'], { value: null });
});

t.test('profile of a name that is not a user of this host', async (t) => {
  const stranger = await run(t, ['profile', 'mal\u001b[2Jory'], documented);
  t.equal(stranger.lines[0], 'mal\\u001b[2Jory (not a user of this host, so in no group)');
});

t.test('profile prints values as they can be written in the file', async (t) => {
  const forms = await run(t, ['profile', 'jane'], {
    ...documented,
    files: {
      'launcher.kubernetes.profiles.conf':
        '[*]\ntolerations=gpu=yes:NoSchedule,spot\nnode-selector=pool=a\nmount-types=none\njob-json-overrides="/spec/x":"DIR/x.json"\nhost-paths=/home\n',
      'x.json': '1',
    },
  });
  const value = (key: string): string | undefined =>
    forms.lines.find((line) => line.startsWith(`${key} `))?.split(/ {2,}/)[1];
  t.equal(value('tolerations'), 'gpu=yes:NoSchedule,spot');
  t.equal(value('node-selector'), 'pool=a');
  t.equal(value('job-json-overrides'), '"/spec/x":"DIR/x.json"');
  t.equal(value('mount-types'), 'none');
  t.equal(value('host-paths'), '/home');
  t.equal(value('resource-profiles'), 'all', 'as it may be typed');
  t.equal(value('drop-capabilities'), 'none');
  t.equal(value('capabilities'), 'any');
  t.equal(value('container-images'), '-');
});

t.test('any and all are the same for resource profiles and mount types', async (t) => {
  for (const word of ['any', 'all']) {
    const everything = await run(t, ['profile', 'jane'], {
      ...documented,
      files: { 'launcher.kubernetes.profiles.conf': `[*]\nresource-profiles=${word}\nmount-types=${word}\n` },
    });
    t.equal(everything.err, '', 'no resource profile of that name is missing');
    t.match(everything.out, /^resource-profiles +all +line 2$/m);
    t.match(everything.out, /^mount-types +all +line 3$/m);
  }
});

t.test('profile suggests a section with a similar name', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\nmax-cpus=2\n\n[jsmiht]\nmax-cpus=4\n\n[jane]\n' };
  const second = async (name: string): Promise<string | undefined> =>
    (await run(t, ['profile', name], { ...documented, files })).lines[1];
  const of = ', of DIR/launcher.kubernetes.profiles.conf';
  t.equal(await second('jsmith'), `[*] line 1; no section of its own; closest name: [jsmiht] line 4${of}`);
  t.equal(await second('jan'), `[*] line 1${of}`, 'jane is a user of this host');
  t.equal(await second('jsmiht'), `[*] line 1, [jsmiht] line 4${of}`);
  t.equal(await second('mallory'), `[*] line 1${of}`);
});
