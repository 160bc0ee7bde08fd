/** Parts of a core are the decimals that people wrote, not what multiplying by 0.001 makes of them. */
import t from 'tap';
import { quantity } from '../../../src/jobs/objects/quantity.ts';

t.test('milli, micro and nano', async (t) => {
  for (const [written, amount] of [
    ['9m', 0.009],
    ['35m', 0.035],
    ['1100m', 1.1],
    ['9u', 0.000009],
    ['299412861n', 0.299412861],
  ] as const) {
    t.equal(quantity(written), amount, written);
  }
});
