/** The output of a job arrives complete and in order, whenever it is asked for, and only where it may be seen. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { refused, setUp } from './harness.ts';

const world = await setUp(t);
const { launcher, user, other } = world;
t.jobs = 4;

t.test('output asked for before the job runs comes when it runs', async (t) => {
  const { id } = await world.submit({ command: 'echo first; sleep 2; echo second' });
  const pieces: string[] = [];
  const stream = launcher.output(user, id, (text) => pieces.push(text));
  const last = await stream.completed;
  t.equal(pieces.join(''), 'first\nsecond\n');
  t.equal(last, pieces.length + 1, 'the final frame is counted after the others');
  t.equal((await launcher.job(user, id)).status, 'Finished');
});

t.test('output comes while the job runs, and again after it ended', async (t) => {
  const end = world.gate();
  const { id } = await world.submit({ command: `echo early; ${end.wait}; echo late` });
  const { promise: early, resolve } = Promise.withResolvers<string>();
  const stream = launcher.output(user, id, resolve);
  t.equal(await early, 'early\n');
  t.equal((await launcher.job(user, id)).status, 'Running');
  await end.open(id);
  await stream.completed;
  t.equal(await world.text(id), 'early\nlate\n');
});

t.test('a last line without newline, both streams, and bytes that are no UTF-8', async (t) => {
  // Two readers bring the streams into the log: what stderr got is there before the open line, and nothing follows that.
  const end = world.gate();
  const { id } = await world.submit({
    command: `printf 'a\\n'; printf 'b\\n' >&2; ${end.wait}; printf '\\303\\050\\360\\237\\230\\200 end'`,
  });
  await world.says(id, 'b\n');
  await end.open(id);
  await world.until(id, 'Finished');
  const text = await world.text(id);
  t.equal([...text].sort().join(''), [...'a\nb\n\ufffd(😀 end'].sort().join(''));
  t.match(text, /\ufffd\(😀 end$/);
});

t.test('a megabyte of output arrives complete and in order', async (t) => {
  const { id } = await world.submit({
    command: 'i=0; while [ $i -lt 20000 ]; do echo "line $i of twenty thousand, padded to a width"; i=$((i+1)); done',
  });
  const text = await world.text(id);
  const wanted = Array.from({ length: 20_000 }, (_, i) => `line ${i} of twenty thousand, padded to a width\n`).join('');
  t.equal(text.length, wanted.length);
  t.equal(createHash('sha256').update(text).digest('hex'), createHash('sha256').update(wanted).digest('hex'));
});

t.test('a canceled stream is silent, a stream of others is not found', async (t) => {
  const { id } = await world.submit({ command: 'while :; do echo tick; sleep 0.2; done' });
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const stream = launcher.output(user, id, () => resolve());
  await first;
  stream.cancel();
  await refused(t, launcher.output(other, id, () => {}).completed, 3);
  await refused(t, launcher.output(user, 'no-such-job', () => {}).completed, 3);
  t.same(await launcher.control(user, id, 'kill'), { complete: true, message: '' });
  await world.until(id, 'Killed');
  t.match(await world.text(id), /^tick\n(tick\n)*$/);
});
