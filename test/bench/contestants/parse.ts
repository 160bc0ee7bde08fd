/** The floor: JSON.parse of the same lines, without a network. */
import { recordedObjects, templatesOf } from '../objects.ts';
import { done, ready, taskOf } from './talk.ts';

const DIFFERENT = 200;

const { count } = taskOf();
const templates = recordedObjects('Pod')
  .slice(1)
  .map((pod) => templatesOf(pod).event('MODIFIED').json);
const lines = Array.from({ length: DIFFERENT }, (_, number) =>
  templates[number % templates.length]?.make(number, 10_000_000).toString('latin1'),
);

// Starts on a message, so that making the lines does not count.
process.stdin.once('data', () => {
  let seen = 0;
  for (let event = 0; event < count; event++) {
    const parsed = JSON.parse(lines[event % DIFFERENT] ?? '');
    if (parsed.type === 'MODIFIED') seen++;
  }
  done({ seen });
});
ready();
