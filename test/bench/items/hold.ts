/** b. Memory for many jobs with their pods. */
import type { Measured } from '../contestant.ts';
import { expect, type Item } from '../item.ts';
import { median } from '../statistics.ts';

const JOBS = 50_000;
const CONTESTS = [
  ['ours', 'hold-jobs'],
  ['client-node informers', 'hold-informers'],
] as const;

export const hold: Item = async ({ server, contestants, quick, progress, busy }) => {
  const jobs = quick ? JOBS / 10 : JOBS;
  await server.have({ jobs });
  const found: [Measured[], Measured[]] = [[], []];
  // Once: memory differs little from run to run, and this takes long.
  for (const [index, [label, name]] of CONTESTS.entries()) {
    progress(`hold ${jobs} jobs with their pods, ${label}`);
    const measured = await server.busyWhile(() => contestants.run(name, { url: server.url, objects: jobs }));
    const { seen } = measured.result.findings;
    expect(seen === jobs * 2, `${label} holds ${seen} of ${jobs * 2} objects`);
    busy(`hold, ${label}`, measured.busy);
    found[index]?.push(measured.result);
  }
  const row = (what: string, value: (measured: Measured) => number, most: number) => {
    const [ours, theirs] = found.map((all) => median(all.map(value)));
    const bars = [ours ?? Number.NaN, theirs ?? Number.NaN].map((each, index) => ({
      name: CONTESTS[index]?.[0] ?? '',
      value: each,
    }));
    const result = (ours ?? Number.NaN) / (theirs ?? Number.NaN);
    return { item: 'b', what, bars, unit: 'MB', result, reach: { most }, ratio: true };
  };
  return [
    row(`heap for ${jobs} jobs with their pods`, ({ findings }) => Number(findings['heap']), 0.1),
    row('peak memory meanwhile', ({ peak }) => peak, 0.2),
  ];
};
