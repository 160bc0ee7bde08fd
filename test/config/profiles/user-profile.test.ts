/** The profile in force is that of the user whom the name services know; if they fail, that is nobody's fault but theirs. */
import { rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { parseProfiles } from '../../../src/config/profiles/profiles.ts';
import { missingGroups, userProfile } from '../../../src/config/profiles/user-profile.ts';
import { describe } from '../../../src/config/text/problem.ts';
import { JobError } from '../../../src/jobs/job-error.ts';
import { createPolicy } from '../../../src/jobs/policy/policy.ts';
import { UserLookupError } from '../../../src/system/lookup-slots.ts';
import type { SystemUser, Users } from '../../../src/system/users.ts';
import { EMPTY_REQUEST } from '../../support/job-request.ts';

/** Name services that know these users and groups; `undefined` users cannot be looked up. */
function nameServices(users: Record<string, SystemUser | undefined>, groups: Record<string, number>): Users {
  return {
    user: async (name) => {
      if (Object.hasOwn(users, name) && users[name] === undefined) throw new UserLookupError('the directory is down');
      return users[name];
    },
    group: async (name) => {
      if (groups[name] === -1) throw new UserLookupError('the directory is down');
      const gid = groups[name];
      return gid === undefined ? undefined : { name, gid };
    },
  };
}

t.test('the profile of a user: names as given and as the directory writes them, groups by number', async (t) => {
  const { profiles } = parseProfiles(
    'F',
    '[*]\nmax-cpus=1\n[@staff]\nmax-cpus=2\n[@gone]\nmax-cpus=9\n[CORP\\jane]\nmax-mem-mb=5\n',
  );
  const jane: SystemUser = { name: 'CORP\\jane', uid: 1, gid: 1, groups: new Set([1, 50]) };
  const services = nameServices({ jane, bob: undefined }, { staff: 50 });
  const of = async (name: string): Promise<unknown> => {
    const { profile, user } = await userProfile(profiles, services, name);
    return [profile.maxCpus.value, profile.maxMemMb.value, user?.uid];
  };
  t.same(await of('jane'), [2, 5, 1]);
  t.same(await of('nobody'), [1, 0, undefined], 'an unknown user has no groups');
  t.same(await of('*'), [1, 0, undefined]);
  await t.rejects(of('bob'), {
    name: 'UserLookupError',
    message: 'cannot determine the groups of bob: the directory is down',
  });
  const down = nameServices({ jane }, { staff: -1 });
  await t.rejects(userProfile(profiles, down, 'jane'), {
    message: 'cannot determine the groups of jane: the directory is down',
  });
  t.same((await missingGroups(profiles, services)).map(describe), ['F:5: group gone does not exist on this host']);
  t.same((await missingGroups(profiles, down)).map(describe), [
    'F:3: cannot look up group staff: the directory is down',
    'F:5: group gone does not exist on this host',
  ]);

  const plain = parseProfiles('F', '[*]\nmax-cpus=1\n[bob]\nmax-cpus=3\n').profiles;
  t.equal(
    (await userProfile(plain, services, 'bob')).profile.maxCpus.value,
    3,
    'without groups in the file, names decide',
  );
  const own = parseProfiles('F', '[*]\nrun-as=own\n').profiles;
  t.equal((await userProfile(own, services, 'jane')).user?.uid, 1);
  await t.rejects(userProfile(own, services, 'bob'), {
    message: 'cannot determine the user id of bob: the directory is down',
  });
  const never: Users = {
    user: async () => t.fail('was asked') as never,
    group: async () => t.fail('was asked') as never,
  };
  t.equal((await userProfile(parseProfiles('F', '[*]\nmax-cpus=1').profiles, never, 'x')).profile.maxCpus.value, 1);
});

t.test('the current policy: what is not the fault of users is Error 0', async (t) => {
  const directory = t.testdir({ 'o.json': '[1]' });
  const { profiles } = parseProfiles(
    'F',
    `[*]\ndefault-container-image=r:4\njob-json-overrides="/spec/template/spec/hostAliases":"${directory}/o.json"\n[@g]\nmax-cpus=1\n`,
  );
  const policy = createPolicy({
    files: () => ({ profiles, resourceProfiles: [] }),
    users: nameServices({ bob: undefined }, {}),
    ownAccount: () => undefined,
    serviceAccounts: async () => ['a'],
  });
  const request = (user: string) => ({ ...EMPTY_REQUEST, name: '', user, command: 'true' });
  t.match(await policy.resolve(request('jane'), 'jane'), { image: 'r:4', overrides: [{ value: [1] }] });
  t.match(await policy.clusterInfo('*'), { defaultImage: 'r:4' });
  const failed = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof JobError ? [error.code, error.message] : error),
    );
  t.same(await failed(policy.resolve(request('bob'), 'bob')), [
    'unknown',
    'cannot determine the groups of bob: the directory is down',
  ]);
  t.same(await failed(policy.clusterInfo('bob')), [
    'unknown',
    'cannot determine the groups of bob: the directory is down',
  ]);
  writeFileSync(`${directory}/o.json`, '[');
  t.same(await failed(policy.resolve(request('jane'), 'jane')), [
    'unknown',
    `${directory}/o.json:1: column 2: expected a value`,
  ]);
  rmSync(`${directory}/o.json`);
  t.same(await failed(policy.resolve(request('jane'), 'jane')), [
    'unknown',
    `F:3: job-json-overrides: ${directory}/o.json does not exist`,
  ]);
});

t.test('{group} in labels and annotations is a group of the user', async (t) => {
  const { profiles } = parseProfiles(
    'F',
    '[*]\ndefault-container-image=r:4\njob-labels=team={group}\njob-annotations=note=of {group}\n',
  );
  const jane: SystemUser = { name: 'jane', uid: 1, gid: 1, groups: new Set([1, 50]) };
  const policy = createPolicy({
    files: () => ({ profiles, resourceProfiles: [] }),
    users: nameServices({ jane }, { staff: 50, finance: 51 }),
    ownAccount: () => undefined,
    serviceAccounts: async () => [],
  });
  const marks = async (user: string, group: string): Promise<unknown> => {
    const { labels, annotations } = await policy.resolve(
      { ...EMPTY_REQUEST, name: '', user, group, command: 'true' },
      user,
    );
    return [labels, annotations];
  };
  t.strictSame(await marks('jane', 'staff'), [{ team: 'staff' }, { note: 'of staff' }]);
  t.strictSame(await marks('jane', 'finance'), [{ team: '' }, { note: 'of ' }]);
  t.strictSame(await marks('jane', 'no-such-group'), [{ team: '' }, { note: 'of ' }]);
  t.strictSame(await marks('unknown', 'staff'), [{ team: '' }, { note: 'of ' }]);
});
