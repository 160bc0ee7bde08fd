/** Users and groups are who the name services of the host say they are; no answer is never taken for a no. */
import { ChildProcess, execFile } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { type Clock, systemClock } from '../../src/system/clock.ts';
import { silentLog } from '../../src/system/log.ts';
import { createUsers, type HostUsers } from '../../src/system/users.ts';
import { eventually } from '../support/eventually.ts';
import { fakeClock } from '../support/fake-clock.ts';

/** Stands in for getent and id: answers from files called like the question, and keeps a list of what was asked. */
function nameServices(test: Test): {
  users: HostUsers;
  answer: (question: string, script: string) => void;
  asked: () => string[];
  pass: (ms: number) => void;
} {
  const directory = test.testdir({ asked: '' });
  const program = `${directory}/ask`;
  writeFileSync(
    program,
    `#!/bin/sh
echo "$1|$2|$3|$(cat | wc -c) \${OF_THE_PARENT:-clean} $LC_ALL $PATH" >> ${directory}/asked
file="${directory}/$1$2$3.sh"
if [ -e "$file" ]; then . "$file"; else exit 2; fi
`,
  );
  chmodSync(program, 0o755);
  let now = 0;
  const clock: Clock = { ...systemClock, monotonic: () => now };
  return {
    users: createUsers({ clock, log: silentLog, getent: program, id: program, timeoutMs: 20_000 }),
    answer: (question, script) => {
      const file = `${directory}/${question}.sh`;
      if (script === '') rmSync(file);
      else writeFileSync(file, script);
    },
    asked: () => {
      const lines = readFileSync(`${directory}/asked`, 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      writeFileSync(`${directory}/asked`, '');
      return lines;
    },
    pass: (ms) => {
      now += ms;
    },
  };
}

t.test('a user with groups; stdin is empty and the environment is a clean one', async (t) => {
  process.env['OF_THE_PARENT'] = 'secret';
  t.teardown(() => delete process.env['OF_THE_PARENT']);
  const { users, answer, asked } = nameServices(t);
  answer('passwd--jane', 'echo jane:x:1001:1002:Jane:/home/jane:/bin/sh');
  answer('-G--jane', 'echo 1002 27 100');
  t.same(await users.user('jane'), { name: 'jane', uid: 1001, gid: 1002, groups: new Set([1002, 27, 100]) });
  t.same(asked(), [
    'passwd|--|jane|0 clean C /usr/sbin:/usr/bin:/sbin:/bin',
    '-G|--|jane|0 clean C /usr/sbin:/usr/bin:/sbin:/bin',
  ]);
});

t.test('names with digits, signs, dots, spaces and domains are looked up as names, not as numbers', async (t) => {
  const { users, answer } = nameServices(t);
  answer('passwd--1001', 'echo bob:x:1001:1001::/:/bin/sh');
  answer('passwd--2002', 'echo 2002:x:2002:2002::/:/bin/sh');
  answer('-G--2002', 'echo 2002');
  answer('passwd--+0', 'echo root:x:0:0::/root:/bin/sh');
  answer('passwd--j.doe@corp.example', 'echo "CORP\\\\\\\\j doe:*:5000:5001::/home/j:/bin/bash"');
  answer('-G--CORP\\j doe', 'echo 5001 5002');
  t.equal(await users.user('1001'), undefined, 'found by its number, not by its name');
  t.equal((await users.user('2002'))?.uid, 2002);
  t.equal(await users.user('+0'), undefined);
  t.equal(await users.user('nobody-here'), undefined);
  const jane = await users.user('j.doe@corp.example');
  t.same([jane?.name, [...(jane?.groups ?? [])]], ['CORP\\j doe', [5001, 5002]]);
});

t.test('no program is run for what can be no name', async (t) => {
  const { users, asked } = nameServices(t);
  for (const name of ['', 'a\nb', 'a\0b', 'a:b', 'x'.repeat(257), 'é'.repeat(129)]) {
    t.equal(await users.user(name), undefined, JSON.stringify(name).slice(0, 20));
    t.equal(await users.group(name), undefined);
  }
  t.same(asked(), []);
});

t.test('groups are looked up by name, which may have spaces, not by number', async (t) => {
  const { users, answer } = nameServices(t);
  answer('group--domain users', 'echo "domain users:*:513:"');
  answer('group--0', 'echo root:x:0:');
  t.equal((await users.group('domain users'))?.gid, 513);
  answer('group--STAFF', 'echo staff:*:27:');
  t.same(await users.group('STAFF'), { name: 'staff', gid: 27 }, 'as the directory writes it');
  t.equal(await users.group('0'), undefined);
  t.equal(await users.group('none'), undefined);
});

t.test('a group of thousands of users is found', async (t) => {
  const { users, answer } = nameServices(t);
  answer(
    'group--big',
    `printf 'big:x:77:'; i=0; while [ $i -lt 9000 ]; do printf 'member%d,' $i; i=$((i+1)); done; echo`,
  );
  t.equal((await users.group('big'))?.gid, 77);
});

t.test('thousands of groups of one user', async (t) => {
  const { users, answer } = nameServices(t);
  answer('passwd--many', 'echo many:x:1:1::/:/bin/sh');
  answer('-G--many', 'seq -s " " 1 5000');
  t.equal((await users.user('many'))?.groups.size, 5000);
});

/** The error of a lookup, without the directory of the test. */
const errorOf = (t: Test, users: HostUsers, name: string): Promise<string> =>
  users.user(name).then(
    () => 'an answer',
    (error: Error) => `${error.name}: ${error.message.replaceAll(t.testdirName, 'DIR')}`,
  );

t.test('an exit code or output that is no answer is an error, never "no such user"', async (t) => {
  const { users, answer } = nameServices(t);
  answer('passwd--failing', 'exit 1');
  answer('passwd--garbled', 'echo what');
  answer('passwd--numberless', 'echo numberless:x:a:b::/:/bin/sh');
  t.equal(await errorOf(t, users, 'failing'), 'UserLookupError: DIR/ask passwd gave no answer: exit code 1');
  t.equal(await errorOf(t, users, 'garbled'), 'UserLookupError: DIR/ask passwd gave no answer: exit code 0');
  t.equal(
    await errorOf(t, users, 'numberless'),
    'UserLookupError: the name services returned an id that is not a number',
  );
});

t.test('groups that are not reported are an error, never "no groups"', async (t) => {
  const { users, answer } = nameServices(t);
  answer('passwd--groupless', 'echo groupless:x:1:1::/:/bin/sh');
  answer('-G--groupless', 'exit 1');
  t.equal(
    await errorOf(t, users, 'groupless'),
    'UserLookupError: DIR/ask did not report the groups of groupless: exit code 1',
  );
});

t.test('endless output is an error', async (t) => {
  const { users, answer } = nameServices(t);
  answer('passwd--endless', 'echo endless:x:1:1::/:/bin/sh');
  answer('-G--endless', 'exec yes 12345');
  t.match(await errorOf(t, users, 'endless'), /^UserLookupError: DIR\/ask did not report the groups of endless: /);
});

t.test('a program that does not answer within the limit is an error', async (t) => {
  const { answer } = nameServices(t);
  answer('passwd--slow', 'exec sleep 20');
  const program = `${t.testdirName}/ask`;
  const hasty = createUsers({ clock: systemClock, log: silentLog, getent: program, id: program, timeoutMs: 300 });
  t.equal(await errorOf(t, hasty, 'slow'), 'UserLookupError: DIR/ask gave no answer within 0.3 s');
});

t.test('a program that is missing is an error that names it', async (t) => {
  const missing = createUsers({ clock: systemClock, log: silentLog, getent: '/nonexistent/getent' });
  await t.rejects(missing.user('x'), {
    name: 'UserLookupError',
    message: '/nonexistent/getent passwd gave no answer: exit code 127',
  });
});

t.test('lookups of one name at the same time are one', async (t) => {
  const { users, answer, asked } = nameServices(t);
  answer('group--g', 'echo g:x:5:');
  t.same(await Promise.all([users.group('g'), users.group('g')]), Array(2).fill({ name: 'g', gid: 5 }));
  t.same(asked(), ['group|--|g|0 clean C /usr/sbin:/usr/bin:/sbin:/bin']);
});

t.test('answers are kept for 60 s, unknown names for 10 s', async (t) => {
  const { users, answer, asked, pass } = nameServices(t);
  const lookUp = (): Promise<unknown> => Promise.all([users.group('g'), users.group('h')]);
  answer('group--g', 'echo g:x:5:');
  t.same(await lookUp(), [{ name: 'g', gid: 5 }, undefined]);
  asked();
  pass(9_999);
  await lookUp();
  t.same(asked(), []);
  pass(1);
  await lookUp();
  t.same(asked(), ['group|--|h|0 clean C /usr/sbin:/usr/bin:/sbin:/bin']);
  pass(49_999);
  await users.group('g');
  t.same(asked(), []);
  pass(1);
  await users.group('g');
  t.same(asked(), ['group|--|g|0 clean C /usr/sbin:/usr/bin:/sbin:/bin']);
});

t.test('a stale answer is used while the directory is down, and replaced when it is up again', async (t) => {
  const { users, answer, pass } = nameServices(t);
  answer('group--g', 'echo g:x:5:');
  await users.group('g');
  answer('group--g', 'exit 1');
  pass(60_000);
  t.equal((await users.group('g'))?.gid, 5, 'the directory is down');
  answer('group--g', 'echo g:x:6:');
  t.equal((await users.group('g'))?.gid, 6, 'and up again');
  answer('group--g', '');
  pass(60_000);
  t.equal(await users.group('g'), undefined, 'a definite no is an answer');
});

t.test(
  'the programs of this host',
  { skip: !existsSync('/usr/bin/getent') || !existsSync('/usr/bin/id') },
  async (t) => {
    const users = createUsers({ clock: systemClock, log: silentLog });
    t.match(await users.user('root'), { name: 'root', uid: 0, gid: 0 });
    t.equal((await users.group('root'))?.gid, 0);
    t.equal(await users.user('+0'), undefined);
    t.equal(await users.user('0'), undefined);
    t.equal(await users.user('no such user'), undefined);
  },
);

const CLOCK = new URL('../../src/system/clock.ts', import.meta.url).href;
const USERS = new URL('../../src/system/users.ts', import.meta.url).href;

t.test('no descriptors left: the lookup fails, the process goes on, and the next one succeeds', async (t) => {
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { systemClock } from ${JSON.stringify(CLOCK)};
    import { createUsers } from ${JSON.stringify(USERS)};
    const log = { notice: () => {} };
    const users = createUsers({ clock: systemClock, log, getent: '/bin/false', timeoutMs: 200 });
    const ask = () => users.user('jane').catch(({ name, message }) => console.log(name + ': ' + message));
    const opened = [];
    try { for (;;) opened.push(openSync('/dev/null')); } catch {}
    await ask();
    opened.forEach((descriptor) => closeSync(descriptor));
    await sleep(300);
    await ask();`;
  const limited = ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, script];
  const { stdout, stderr } = await promisify(execFile)('/bin/sh', limited).catch((error) => error);
  t.equal(
    stdout,
    'UserLookupError: /bin/false could not be run: spawn /bin/false EMFILE\n' +
      'UserLookupError: /bin/false passwd gave no answer: exit code 1\n',
  );
  t.equal(stderr, '');
});

t.test('a program that not even SIGKILL ends keeps nobody waiting', async (t) => {
  const program = `${t.testdir({ ask: '#!/bin/sh\nexec sleep 3\n' })}/ask`;
  chmodSync(program, 0o755);
  const killed: ChildProcess[] = [];
  // Stands in for a process that sleeps in the kernel: the signal is sent, and nothing happens.
  const { kill } = ChildProcess.prototype;
  t.teardown(() => Object.assign(ChildProcess.prototype, { kill }));
  ChildProcess.prototype.kill = function (this: ChildProcess) {
    killed.push(this);
    return true;
  };
  const users = createUsers({ clock: systemClock, log: silentLog, getent: program, timeoutMs: 100 });
  await t.rejects(users.user('jane'), { name: 'UserLookupError', message: `${program} gave no answer within 0.1 s` });
  t.strictSame(
    killed.map(({ exitCode, signalCode }) => ({ exitCode, signalCode })),
    [{ exitCode: null, signalCode: null }],
    'it runs on',
  );
  process.kill(killed[0]?.pid ?? 0, 'SIGKILL');
});

t.test('an old "no such user" does not stand in for an answer, an old user does', async (t) => {
  const directory = t.testdir();
  const program = `${directory}/ask`;
  writeFileSync(program, `#!/bin/sh\nif [ -e ${directory}/$3 ]; then . ${directory}/$3; else exit 2; fi\n`);
  chmodSync(program, 0o755);
  const clock = fakeClock();
  const users = createUsers({ clock, log: silentLog, getent: program, id: program });
  writeFileSync(`${directory}/jane`, 'if [ $1 = passwd ]; then echo jane:x:7:8::/:/bin/sh; else echo 8 9; fi\n');
  const jane = { name: 'jane', uid: 7, gid: 8, groups: new Set([8, 9]) };
  t.same([await users.user('jane'), await users.user('john')], [jane, undefined]);

  clock.advance(60_000);
  writeFileSync(`${directory}/jane`, 'exit 1\n');
  writeFileSync(`${directory}/john`, 'exit 1\n');
  t.same(await users.user('jane'), jane);
  await t.rejects(users.user('john'), { message: `${program} passwd gave no answer: exit code 1` });

  rmSync(`${directory}/jane`);
  t.equal(await users.user('jane'), undefined, 'a definite no');
  clock.advance(10_000);
  writeFileSync(`${directory}/jane`, 'exit 1\n');
  await t.rejects(users.user('jane'), { message: `${program} passwd gave no answer: exit code 1` }, 'nobody any more');
});

t.test('close kills the programs that run, and later lookups are rejected', async (t) => {
  const directory = t.testdir({});
  const program = `${directory}/ask`;
  writeFileSync(program, `#!/bin/sh\necho $$ >>${directory}/pids\nexec sleep 60\n`);
  chmodSync(program, 0o755);
  const users = createUsers({ clock: systemClock, log: silentLog, getent: program });
  const lookups = ['a', 'b'].map((name) => users.user(name).catch((error: Error) => error.message));
  const pids = await eventually(() => {
    const lines = existsSync(`${directory}/pids`) ? readFileSync(`${directory}/pids`, 'utf8').trim().split('\n') : [];
    return lines.length === 2 && lines.map(Number);
  });
  users.close();
  const message = `${program} passwd gave no answer: terminated by SIGKILL`;
  t.same(await Promise.all(lookups), [message, message]);
  t.same(
    pids.map((pid) => existsSync(`/proc/${pid}`)),
    [false, false],
  );
  await t.rejects(users.user('c'), { message: 'the plugin is exiting' });
});

t.test('a user without an answer has one lookup, and delays no user who is looked up for the first time', async (t) => {
  const { users, answer, asked } = nameServices(t);
  answer('passwd--hung', 'exec sleep 60');
  answer('passwd--jane', 'echo jane:x:1001:1002::/:/bin/sh');
  answer('-G--jane', 'echo 1002');
  const ask = (): Promise<unknown> => users.user('hung').catch((error: Error) => error.name);
  const waiting = Array.from({ length: 100 }, ask);
  const lookups: string[] = [];
  const isHung = (line: string): boolean => line.startsWith('passwd|--|hung|');
  await eventually(() => {
    lookups.push(...asked());
    // On a busy machine the lookup may be ended by its limit before the program has begun.
    waiting.push(ask());
    return lookups.some(isHung);
  });
  const first = await Promise.race([users.user('jane').then((user) => user?.uid), ...waiting]);
  t.equal(first, 1001);
  t.equal([...lookups, ...asked()].filter(isHung).length, 1);
  users.close();
  t.strictSame(new Set(await Promise.all(waiting)), new Set(['UserLookupError']));
});

t.test('a user does not wait for the queued lookup of a group that another user asked for', async (t) => {
  const { users, answer, asked } = nameServices(t);
  answer('group--hung', 'exec sleep 60');
  answer('group--staff', 'echo staff:x:5:');
  const hung = users.group('hung', 'alice').catch((error: Error) => error.name);
  const queued = users.group('staff', 'alice').catch((error: Error) => error.name);
  const first = await Promise.race([users.group('staff', 'bob'), hung, queued]);
  t.same(first, { name: 'staff', gid: 5 });
  t.equal(asked().filter((line) => line.startsWith('group|--|staff|')).length, 1);
  users.close();
  t.same(await Promise.all([hung, queued]), ['UserLookupError', { name: 'staff', gid: 5 }]);
});

t.test('600 users without an answer do not delay a user who was answered before', async (t) => {
  const { users, answer, pass } = nameServices(t);
  answer('passwd--jane', 'echo jane:x:1001:1002::/:/bin/sh');
  answer('-G--jane', 'echo 1002');
  await users.user('jane');
  pass(60_000);
  const hung = Array.from({ length: 600 }, (_, i) => `hung${i}`);
  for (const name of hung) answer(`passwd--${name}`, 'exec sleep 60');
  const waiting = hung.map((name) => users.user(name).catch(() => undefined));
  const first = await Promise.race([users.user('jane'), ...waiting]);
  t.equal(first?.uid, 1001);
  users.close();
});

t.test('name services that give no answer are logged once, and once when they answer again', async (t) => {
  const directory = t.testdir();
  const program = `${directory}/ask`;
  writeFileSync(program, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const lines: string[] = [];
  const log = { ...silentLog, notice: (sentence: string) => void lines.push(sentence) };
  const users = createUsers({ clock: systemClock, log, getent: program, id: program });
  await t.rejects(users.group('staff'));
  await t.rejects(users.group('other'));
  writeFileSync(program, '#!/bin/sh\nexit 2\n');
  t.equal(await users.group('staff'), undefined);
  t.strictSame(lines, [
    'Name services of this host (getent, id) gave no answer; retrying with the next request',
    'Name services of this host answer again',
  ]);
});

t.test('20 users without an answer to their last lookup leave slots for a new user', async (t) => {
  const { users, answer } = nameServices(t);
  const failing = Array.from({ length: 20 }, (_, i) => `failing${i}`);
  for (const name of failing) answer(`passwd--${name}`, 'exit 1');
  await Promise.all(failing.map((name) => users.user(name).catch(() => undefined)));
  for (const name of failing) answer(`passwd--${name}`, 'exec sleep 60');
  const waiting = failing.map((name) => users.user(name).catch(() => undefined));
  answer('passwd--jane', 'echo jane:x:1001:1002::/:/bin/sh');
  answer('-G--jane', 'echo 1002');
  const first = await Promise.race([users.user('jane'), ...waiting]);
  t.equal(first?.uid, 1001);
  users.close();
});
