/** Whatever a hostile or broken launcher sends, nothing crashes or hangs, and who can be answered is. */
import t from 'tap';
import { runMutations } from './mutation.ts';

t.test('[mutations] 5,000 mutated messages: no crash, no hang, nobody with a readable id unanswered', async (t) => {
  const summary = await runMutations(5000, 20261123);
  t.comment(JSON.stringify(summary));
  t.equal(summary.messages, 5000);
  t.ok(summary.answered > 3000, 'most can be answered');
  for (const code of ['1', '2', '3', '10']) t.ok(summary.errors[code], `Error ${code} was among the answers`);
});
