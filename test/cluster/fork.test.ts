/** A program that the small process forks behaves as one that this process forks: output, input, exit code, signal, identity. */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { type Command, fork, type Program } from './kubelet/fork.ts';
import { infoOf } from './kubelet/processes.ts';

const run = (script: string, more: Partial<Command> = {}): Program =>
  fork({
    file: '/bin/sh',
    args: ['-c', script],
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', A: 'b' },
    identity: undefined,
    hasInput: false,
    ...more,
  });
const closed = (program: Program): Promise<unknown> => once(program as never, 'close');
const parentOf = (program: Program): number | undefined => infoOf(program.pid ?? 0)?.parent;

/** Until the small process runs. */
for (let tries = 0; tries < 1_000; tries++) {
  const program = run('exec sleep 0.05');
  const isOurs = parentOf(program) === process.pid;
  await closed(program);
  if (!isOurs) break;
}

t.test('it runs in a session of its own, below the small process, with its environment and directory', async (t) => {
  const program = run('echo "$A $PWD $(env | wc -l)"; echo wrong >&2; sleep 0.1; exit 7', { cwd: '/usr' });
  t.not(parentOf(program), process.pid);
  t.equal(infoOf(program.pid ?? 0)?.session, program.pid);
  const all = Promise.all([text(program.stdout as never), text(program.stderr as never), closed(program)]);
  t.same(await all, ['b /usr 3\n', 'wrong\n', [7, null]]);
  t.equal(program.stdin, null);
});

t.test('it gets input, and its end', async (t) => {
  const program = run('cat; echo end', { hasInput: true });
  program.stdin?.write('one\n');
  setTimeout(() => program.stdin?.end('two\n'), 50);
  t.same(await Promise.all([text(program.stdout as never), closed(program)]), ['one\ntwo\nend\n', [0, null]]);
});

t.test('a signal is reported, and a megabyte arrives that is read late', async (t) => {
  const program = run('head -c 1000000 /dev/zero; kill -TERM $$');
  program.stdout?.pause();
  let bytes = 0;
  program.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  setTimeout(() => program.stdout?.resume(), 100);
  t.same(await closed(program), [null, 'SIGTERM']);
  t.equal(bytes, 1_000_000);
});

t.test('who ends with its output held by another process is closed when that one ends', async (t) => {
  const program = run('{ sleep 0.3; echo late; } & echo now');
  const output = text(program.stdout as never);
  t.same(await once(program as never, 'exit'), [0, null]);
  await closed(program);
  t.equal(await output, 'now\nlate\n');
});

t.test('a program that does not exist has no pid; many at once run all the same', async (t) => {
  t.equal(run('', { file: '/nonexistent' }).pid, undefined);
  const many = Array.from({ length: 30 }, (_, index) => run(`echo ${index}; exit ${index}`));
  const ends = await Promise.all(many.map((program) => Promise.all([text(program.stdout as never), closed(program)])));
  t.same(
    ends,
    many.map((_, index) => [`${index}\n`, [index, null]]),
  );
});

t.test('it runs as another user', { skip: process.getuid?.() === 0 ? false : 'only for root' }, async (t) => {
  const program = run('id -u; id -g', { identity: { uid: 65_534, gid: 65_533 } });
  t.equal(await text(program.stdout as never), '65534\n65533\n');
});
