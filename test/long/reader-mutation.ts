/** However an answer is malformed, the reader of streams returns what undici returns, or an error, and its memory does not grow. */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { disagreement, mutated, randomOf, recordedAnswers } from '../kubernetes/http/readers.ts';

const ANSWERS = 100_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Megabytes in use after full collections: what one has found unused is given back until the next. */
async function heap(): Promise<number> {
  collect();
  await setImmediate();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1e6;
}

t.test('100,000 mutated streams: the answer that undici reads, or an error, and stable memory', async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
  t.comment(`SEED=${seed}`);
  const random = randomOf(seed);
  const answers = recordedAnswers();
  const wrong: string[] = [];
  let early = 0;
  for (let count = 0; count < ANSWERS && wrong.length < 10; count++) {
    const found = await disagreement(mutated(answers[count % answers.length] ?? Buffer.alloc(0), random));
    if (found !== undefined) wrong.push(found);
    if (count === ANSWERS / 5) early = await heap();
  }
  t.same(wrong, []);
  const late = await heap();
  t.ok(late < early + 10, `${early} MB after 20,000 streams, ${late} MB after all`);
});
