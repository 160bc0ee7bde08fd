/** Quantities of the API are read as numbers. */
import t from 'tap';
import { quantity } from '../../../src/jobs/objects/quantity.ts';

t.test('quantities of all suffixes', async (t) => {
  const amounts: Readonly<Record<string, number | undefined>> = {
    '0': 0,
    '299412860n': 0.29941286,
    '1500u': 0.0015,
    '250m': 0.25,
    '2': 2,
    '1.5k': 1500,
    '512M': 512e6,
    '3G': 3e9,
    '1T': 1e12,
    '1P': 1e15,
    '1E': 1e18,
    '644Ki': 659_456,
    '1Mi': 1_048_576,
    '.5Gi': 536_870_912,
    '1Ti': 1_099_511_627_776,
    '1Pi': 2 ** 50,
    '1Ei': 2 ** 60,
    '12e6': 12e6,
    '1E3': 1000,
    '-1': -1,
    '': undefined,
    '1 M': undefined,
    '1kb': undefined,
  };
  for (const [written, amount] of Object.entries(amounts)) {
    const read = quantity(written);
    t.ok(read === amount || Math.abs((read ?? Number.NaN) / (amount ?? 0) - 1) < 1e-12, `${written} is ${amount}`);
  }
});

t.test('milli, micro and nano are the decimals that people write, not multiples of 0.001', async (t) => {
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
