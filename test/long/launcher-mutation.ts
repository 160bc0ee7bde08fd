/** However long mutated messages arrive, the plugin answers all that it can, and its memory does not grow. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { runMutations } from '../launcher/mutation.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Megabytes in use after a full collection. */
function heap(): number {
  collect();
  return Math.round(process.memoryUsage().heapUsed / 100_000) / 10;
}

t.test(
  '200,000 mutated messages: no crash, no hang, nobody with a readable id unanswered, stable memory',
  async (t) => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
    t.comment(`SEED=${seed}`);
    const summary = await runMutations(200_000, seed, heap);
    t.comment(JSON.stringify(summary));
    t.equal(summary.messages, 200_000);
    const [early = 0] = summary.heapMegabytes.slice(5);
    const late = Math.min(...summary.heapMegabytes.slice(-5));
    t.ok(late < early + 5, `${early} MB after 30,000 messages, ${late} MB after 200,000`);
  },
);
