/** Deliveries of input that wait for their jobs to read hold memory: there are 48 at a time, and users share them. */
import t from 'tap';
import { eventually } from '../../support/eventually.ts';
import { hasState, startWorld } from '../instance.ts';
import { request } from '../requests.ts';

const { instance, annotation } = await startWorld(t);

t.test('of 49 jobs that do not read, one waits unclaimed; the job of another user gets its input', async (t) => {
  const ends: (() => void)[] = [];
  const received: string[] = [];
  const one = await instance({
    wrap: (client) => ({
      ...client,
      attachInput: async (_pod, _container, input) => {
        received.push(Buffer.from(input).toString());
        if (received.at(-1) === 'of alice') await new Promise<void>((resolve) => ends.push(resolve));
      },
    }),
  });
  const submit = async (user: string): Promise<string> =>
    (await one.jobs.submit(request({ user, command: 'sleep 600', stdin: `of ${user}` }), user, 60_000)).id;
  const ids = await Promise.all(Array.from({ length: 49 }, () => submit('alice')));
  for (const id of ids) await one.until(id, hasState('Running'));
  await eventually(() => received.length >= 48);
  await submit('bob');
  await eventually(() => received.includes('of bob'));
  t.equal(received.filter((text) => text === 'of alice').length, 48);
  const claims = await Promise.all(ids.map((id) => annotation(id, 'stdin')));
  const [waiting = ''] = ids.filter((_, index) => claims[index] === undefined);
  t.equal(claims.filter((claim) => claim === undefined).length, 1);
  t.match(one.jobs.find(waiting, 'alice'), { status: 'Running', statusMessage: '' });

  ends[0]?.();
  await eventually(() => annotation(waiting, 'stdin'));
  await eventually(() => received.filter((text) => text === 'of alice').length === 49);
  for (const end of ends) end();
});
