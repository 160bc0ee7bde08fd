/** Mistakes that are easily made in a configuration file: none is taken silently for something else. */
import t from 'tap';
import { parseProfiles } from '../../../src/config/profiles/profiles.ts';
import { describe } from '../../../src/config/text/problem.ts';
import { load, problems } from './reading.ts';

const warningsOf = (text: string): string[] => parseProfiles('F', text).warnings.map(describe);

t.test('a section for several users matches none of them', async (t) => {
  const several = (name: string): string =>
    `F:1: [${name}] is read as the name of a single user: write a section for each user, or [@group]`;
  for (const name of ['bob,alice', 'bob, alice', 'bob alice']) {
    t.strictSame(warningsOf(`[${name}]\nmax-cpus=2\n`), [several(name)]);
  }
  for (const name of ['*', 'bob', 'DOMAIN\\bob', 'DOMAIN\\jane doe', '@Domain Users', '@ ds']) {
    t.strictSame(warningsOf(`[${name}]\nmax-cpus=2\n`), [], name);
  }
});

t.test('a group is one section, however its name is written', async (t) => {
  const twice = (name: string): string[] => [`F:3: section [${name}] is already on line 1`];
  t.strictSame(problems('[@ds]\nmax-cpus=2\n[@ ds]\nmax-cpus=3\n'), twice('@ds'));
  t.strictSame(problems('[*]\nmax-cpus=2\n[ * ]\nmax-cpus=3\n'), twice('*'));
});

t.test('quotes are no part of the name of an image', async (t) => {
  const refused = (key: string, value: string, kind: string, why = ''): string =>
    `F:2: ${key}: "${value}" must be ${kind}an image name without whitespace and quotes${why}`;
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

t.test('a token that was wrapped is not shown, whatever its second line looks like', async (t) => {
  for (const line of ['SECRETSECRET=', 'SecretSecret-more==', 'SECRETSECRET = a']) {
    const { problems: found } = await load(t, `api-url=https://k:6443\nauth-token=SECRET\n${line}\n`);
    t.strictSame(found, ['DIR/launcher.kubernetes.conf:3: is not an option of this plugin'], line);
  }
  const { problems: found } = await load(t, 'api-url=https://k:6443\nauth-token=x\nquite-unlike=1\n');
  t.strictSame(found, ['DIR/launcher.kubernetes.conf:3: quite-unlike: is not an option of this plugin']);
});
