/** Each row of the state table decides where it should, with doubt where something unseen may explain an end. */
import t from 'tap';
import { seePod } from '../../../src/jobs/view/observation.ts';
import type { Outcome } from '../../../src/jobs/view/situation.ts';
import { SEEN, stateOf, stateWithoutJob } from '../../../src/jobs/view/state.ts';
import { DELETION, end, pod, seen, situation } from './situations.ts';
import { CONTROL_ROWS } from './state-controls.ts';
import { END_ROWS } from './state-ends.ts';

const ROWS = [...CONTROL_ROWS, ...END_ROWS];

const told = ({ state, statusCode, exitCode, message }: Outcome) => [state, statusCode, exitCode, message];

t.test('rows', async (t) => {
  for (const { what, row, seen: members, told: expected, doubtful = false } of ROWS) {
    const verdict = stateOf(situation(members));
    t.strictSame(told(verdict), expected, what);
    t.strictSame([verdict.row, verdict.doubtful], [row, doubtful], `${what}: row ${row}`);
  }
  const tried = new Set(ROWS.map(({ row }) => row));
  t.strictSame([...tried].sort(), [...SEEN.keys()].sort(), 'each row has its case');
});

t.test('the Job object is gone', async (t) => {
  t.strictSame(told(stateWithoutJob(situation({ ran: true, pod: seen(pod()) }))).slice(0, 3), [
    'Killed',
    'Deleted',
    undefined,
  ]);
  t.strictSame(told(stateWithoutJob(situation({}))).slice(0, 3), ['Canceled', 'Deleted', undefined]);
  t.strictSame(told(stateWithoutJob(situation({ pod: seen(pod({ container: end(3) })) }))), [
    'Finished',
    'Error',
    3,
    'ended with exit code 3',
  ]);
});

t.test('which came first, end or removal, is known to those who saw both', async (t) => {
  const running = seePod(undefined, pod(), true);
  t.equal(running.first, undefined);
  t.equal(seePod(running, pod(DELETION), true).first, 'removal');
  t.equal(seePod(seePod(running, pod(DELETION), true), pod({ ...DELETION, container: end(0) }), true).first, 'removal');
  t.equal(
    seePod(seePod(running, pod({ container: end(0) }), true), pod({ ...DELETION, container: end(0) }), false).first,
    'end',
  );
  t.equal(
    seePod(running, pod({ ...DELETION, container: end(0) }), true).first,
    undefined,
    'both at once: times decide',
  );
});
