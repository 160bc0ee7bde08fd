/** Each row of the state table decides where it should; final states that something unknown may explain are unconfirmed. */
import t from 'tap';
import { evaluateDeleted, evaluateState, STATE_TABLE, type StateEvaluation } from '../../../src/jobs/view/state.ts';
import { end, job, pod, seen, stateInputs } from './state-cases.ts';
import { CONTROL_ROWS } from './state-controls.ts';
import { END_ROWS } from './state-ends.ts';

const CASES = [...CONTROL_ROWS, ...END_ROWS];

const valuesOf = ({ outcome: { state, statusCode, exitCode, message } }: StateEvaluation) => [
  state,
  statusCode,
  exitCode,
  message,
];

for (const { what, cause, given, expected, isUnconfirmed = false } of CASES) {
  t.test(`${cause}: ${what}`, async (t) => {
    const evaluation = evaluateState(stateInputs(given));
    t.strictSame(valuesOf(evaluation), expected);
    t.strictSame([evaluation.cause, evaluation.isUnconfirmed], [cause, isUnconfirmed]);
  });
}

t.test('each row of the table has a case', async (t) => {
  const tested = new Set(CASES.map(({ cause }) => cause));
  t.strictSame([...tested].sort(), STATE_TABLE.map(({ cause }) => cause).sort());
});

t.test('a recorded result keeps the cause that was recorded with it', async (t) => {
  const result = {
    state: 'Killed',
    statusCode: 'OOMKilled',
    exitCode: 137,
    message: '',
    cause: 'out-of-memory',
  } as const;
  t.equal(evaluateState(stateInputs({ job: job({ result }) })).cause, 'out-of-memory');
});

t.test('job-deleted: Killed if it ran', async (t) => {
  const evaluation = evaluateDeleted(stateInputs({ ran: true, pod: seen(pod()) }));
  t.strictSame(valuesOf(evaluation), [
    'Killed',
    'Deleted',
    undefined,
    'its Job was deleted in Kubernetes by another client',
  ]);
  t.strictSame([evaluation.cause, evaluation.isUnconfirmed], ['job-deleted', true]);
});

t.test('job-deleted: Canceled if it did not run', async (t) => {
  t.strictSame(valuesOf(evaluateDeleted(stateInputs({}))).slice(0, 3), ['Canceled', 'Deleted', undefined]);
});

t.test('a deleted Job keeps the exit code of its container', async (t) => {
  const evaluation = evaluateDeleted(stateInputs({ pod: seen(pod({ container: end(3) })) }));
  t.strictSame(valuesOf(evaluation), ['Finished', 'Error', 3, 'ended with exit code 3']);
  t.equal(evaluation.cause, 'container-ended');
});
