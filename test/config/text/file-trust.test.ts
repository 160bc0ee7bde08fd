/** A file that every user can change is a problem; other writers than the trusted ones are warnings, or problems if strict. */
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { checkWriters, type TrustedWriters } from '../../../src/config/text/file-trust.ts';
import { advise } from '../../../src/config/text/problem.ts';

const skip = process.getuid?.() === 0 ? false : 'only root can change owners';
const TRUSTED: TrustedWriters = { uids: [998], gids: [997], strict: false };

t.test('findings name the file, the writer and the command', { skip }, async (t) => {
  const file = `${t.testdir({ f: '' })}/f`;
  const of = (mode: number, uid: number, gid: number, strict = false): unknown[] => {
    chownSync(file, uid, gid);
    chmodSync(file, mode);
    const { problems, warnings } = checkWriters(file, undefined, { ...TRUSTED, strict });
    return [problems, warnings].map((found) => found.map((each) => advise(each).replaceAll(file, 'F')));
  };
  t.same(of(0o660, 998, 997), [[], []]);
  t.same(of(0o660, 0, 0), [[], []]);
  t.same(of(0o660, 1, 2), [
    [],
    ['F: can be changed by user 1 -> chown root F', 'F: can be changed by group 2 -> chmod g-w F'],
  ]);
  t.same(of(0o640, 1, 2, true), [['F: can be changed by user 1 -> chown root F'], []]);
  t.same(of(0o602, 0, 0), [['F: can be changed by every user of this host -> chmod o-w F'], []]);
});

t.test('findings are reported at the option that names the file', { skip }, async (t) => {
  const file = `${t.testdir({ f: '' })}/f`;
  writeFileSync(file, '');
  chmodSync(file, 0o602);
  const { problems } = checkWriters(file, { file: '/etc/o', line: 3, option: 'profile-config' }, TRUSTED);
  t.same(
    problems.map((each) => advise(each).replaceAll(file, 'F')),
    ['/etc/o:3: profile-config: F can be changed by every user of this host -> chmod o-w F'],
  );
});

t.test('a missing file has no findings', async (t) => {
  t.same(checkWriters(`${t.testdir({})}/none/f`, undefined, TRUSTED), { problems: [], warnings: [] });
});
