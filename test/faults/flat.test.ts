/** What grows all the time is found, by its name, and what only goes up and down is not. */
import t from 'tap';
import { judgeFlat } from './flat.ts';
import { type Sample, sampleOf } from './process.ts';

const GOES_UP_AND_DOWN = [0, 4, 1, 3, 2];

function judged(sample: (index: number) => Sample, isRestarted = false): { findings: readonly string[]; said: string } {
  const findings: string[] = [];
  const samples = Array.from({ length: 100 }, (_, index) => sample(index));
  const said = judgeFlat({ name: 'first', isRestarted }, samples, (count, text) => findings.push(`${count}: ${text}`));
  return { findings, said };
}

t.test('what only goes up and down is flat', async (t) => {
  const { findings, said } = judged((index) => {
    const more = GOES_UP_AND_DOWN[index % 5] ?? 0;
    return { megabytes: 100 + more, descriptors: 60 + more, sockets: 40 + more };
  });
  t.strictSame(findings, []);
  t.equal(
    said,
    'first (median/max of the first and last quarter): RSS 102/104 -> 102/104 MB, fds 62/64 -> 62/64, sockets 42/44 -> 42/44',
  );
});

t.test('what grows all the time is found, each by its name', async (t) => {
  const { findings } = judged((index) => ({ megabytes: 100 + index, descriptors: 60 + index, sockets: 40 + index }));
  t.strictSame(findings, [
    'memory growing: first: RSS, median of a quarter, from 112 to 187 MB, at most 135',
    'memory growing: first: RSS, most of a quarter, from 124 to 199 MB, at most 148',
    'descriptors growing: first: fds, median of a quarter, from 72 to 147, at most 98',
    'descriptors growing: first: fds, most of a quarter, from 84 to 159, at most 113',
    'sockets growing: first: sockets, median of a quarter, from 52 to 127, at most 73',
    'sockets growing: first: sockets, most of a quarter, from 64 to 139, at most 88',
  ]);
});

t.test('of one that is started again only the maxima count', async (t) => {
  const { findings } = judged((index) => {
    const more = index % 25 < (index < 25 ? 10 : 20) ? 30 : 0;
    return { megabytes: 100, descriptors: 50 + more, sockets: 30 + more + index };
  }, true);
  t.strictSame(findings, ['sockets growing: first: sockets, most of a quarter, from 69 to 154, at most 94']);
});

t.test('without samples nothing is known, and that is not green', async (t) => {
  const findings: string[] = [];
  judgeFlat({ name: 'second', isRestarted: true }, [], (count) => findings.push(count));
  t.strictSame(findings, ['memory growing', 'descriptors growing', 'sockets growing']);
});

t.test('a process is sampled as long as it is there', async (t) => {
  const own = sampleOf(process.pid);
  t.ok(own !== undefined && own.megabytes > 10 && own.descriptors > 3 && own.sockets <= own.descriptors);
  t.equal(sampleOf(2 ** 22 + 1), undefined);
});
