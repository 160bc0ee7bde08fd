/** Profiles, resource profiles and override files are read together; their problems are reported together. */
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { readPolicyFiles } from '../../../src/config/profiles/policy-files.ts';
import { ConfigError, describe, type Origin } from '../../../src/config/text/problem.ts';

const PROFILES = 'launcher.kubernetes.profiles.conf';
const RESOURCES = 'launcher.kubernetes.resources.conf';

/** What reading these files gives, with DIR for their directory. */
function read(
  test: Test,
  files: Readonly<Record<string, string>>,
  { strictFiles = false, named = {} }: { strictFiles?: boolean; named?: Readonly<Record<string, string>> } = {},
): { code: string; problems: string[]; warnings: string[] } {
  const directory = test.testdirName;
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(`${directory}/${name}`, text.replaceAll('DIR', directory), { mode: 0o644 });
  }
  const origins = new Map<string, Origin>(
    Object.keys(named).map((option, index) => [option, { file: `${directory}/options`, line: index + 1 }]),
  );
  const shown = (found: Parameters<typeof describe>[0]): string => describe(found).replaceAll(directory, 'DIR');
  try {
    const { warnings } = readPolicyFiles({
      profileConfig: named['profile-config'] ?? `${directory}/${PROFILES}`,
      resourceProfileConfig: named['resource-profile-config'] ?? `${directory}/${RESOURCES}`,
      strictFiles,
      useTemplating: false,
      origins,
    });
    return { code: 'none', problems: [], warnings: warnings.map(shown) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { code: error.code, problems: error.problems.map(shown), warnings: [] };
  }
}

t.test('missing default files are empty', async (t) => {
  t.testdir({});
  t.same(read(t, {}), { code: 'none', problems: [], warnings: [] });
});

t.test('files that an option names must exist', async (t) => {
  t.testdir({});
  const named = { 'profile-config': '/nonexistent/p', 'resource-profile-config': '/nonexistent/r' };
  t.same(read(t, {}, { named }), {
    code: 'unreadable',
    problems: [
      'DIR/options:1: profile-config: /nonexistent/p does not exist',
      'DIR/options:2: resource-profile-config: /nonexistent/r does not exist',
    ],
    warnings: [],
  });
});

t.test('problems of both files are reported together', async (t) => {
  t.testdir({});
  t.same(read(t, { [PROFILES]: '[*]\nmax-cpus=x\n', [RESOURCES]: '[a]\ncpus=x\n' }), {
    code: 'invalid',
    problems: [
      `DIR/${PROFILES}:2: max-cpus: "x" must be a number such as 1.5 from 0 to 1000000`,
      `DIR/${RESOURCES}:2: cpus: "x" must be a number such as 1.5 from 0 to 1000000`,
    ],
    warnings: [],
  });
});

t.test('a missing override file is reported together with the mistakes of the profiles', async (t) => {
  t.testdir({});
  const text = '[*]\nmax-cpus=2 ; two\njob-json-overrides="/spec/y":"DIR/none.json"\nmax-cpu=2\n';
  t.same(read(t, { [PROFILES]: text }), {
    code: 'unreadable',
    problems: [
      `DIR/${PROFILES}:2: max-cpus: "2 ; two" must be a number such as 1.5 from 0 to 1000000 (a comment after a value begins with #)`,
      `DIR/${PROFILES}:3: job-json-overrides: DIR/none.json does not exist`,
      `DIR/${PROFILES}:4: max-cpu: is not a key of profiles (did you mean "max-cpus"?)`,
    ],
    warnings: [],
  });
});

const OVERRIDES = `[*]\njob-json-overrides="/spec/x":"DIR/o.json"\n[u]\njob-json-overrides="/spec/y":"DIR/none.json"\n`;

t.test('problems of override files are reported together, without their content', async (t) => {
  t.testdir({});
  t.same(read(t, { [PROFILES]: OVERRIDES, 'o.json': '{\n  "SECRET": x }' }), {
    code: 'unreadable',
    problems: [
      'DIR/o.json:2: column 13: expected a value',
      `DIR/${PROFILES}:4: job-json-overrides: DIR/none.json does not exist`,
    ],
    warnings: [],
  });
});

t.test('a resource profile that is not defined is a warning', async (t) => {
  t.testdir({});
  const files = { [PROFILES]: '[*]\nresource-profiles=small,smal,custom\n', [RESOURCES]: '[small]\ncpus=1\n' };
  t.same(read(t, files).warnings, [`DIR/${PROFILES}:2: resource-profiles: "smal" is not a resource profile`]);
});

for (const name of [PROFILES, RESOURCES, 'o.json']) {
  t.test(`${name} must not be writable for every user`, async (t) => {
    t.testdir({});
    const files = { [PROFILES]: '[*]\njob-json-overrides="/spec/x":"DIR/o.json"\n', [RESOURCES]: '', 'o.json': '{}' };
    read(t, files);
    chmodSync(`${t.testdirName}/${name}`, 0o646);
    const at = name === 'o.json' ? `DIR/${PROFILES}:2: job-json-overrides: DIR/o.json` : `DIR/${name}:`;
    t.same(read(t, {}).problems, [`${at} can be changed by every user of this host`]);
  });
}

const skip = process.getuid?.() === 0 ? false : 'only root can change owners';

t.test('files of another user are warnings, or problems with strict-files', { skip }, async (t) => {
  t.testdir({});
  read(t, { [PROFILES]: '' });
  chownSync(`${t.testdirName}/${PROFILES}`, 4711, 0);
  const expected = [`DIR/${PROFILES}: can be changed by user 4711`];
  t.same(read(t, {}), { code: 'none', problems: [], warnings: expected });
  t.same(read(t, {}, { strictFiles: true }), { code: 'invalid', problems: expected, warnings: [] });
});
