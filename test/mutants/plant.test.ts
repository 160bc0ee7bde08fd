/** Defects are planted in code, one a line, and the tests to run are the closest ones. */
import t from 'tap';
import { sourceFile } from '../house/sources.ts';
import { mutantsOf, nearestTests, plant } from './plant.ts';

const SOURCE = `/** Compares 1 < 2. */
interface A {
  readonly limit: 5;
}
function f(a: number): boolean {
  log('a < b');
  if (a > 20 && ok(a)) return true;
  return a === 1;
}
`;

t.test('comparisons, conditions, constants and returns are changed, one at a time', async (t) => {
  t.same(
    mutantsOf('src/a.ts', SOURCE).map(({ line, after }) => `${line}: ${after.trim()}`),
    [
      "6: return; log('a < b');",
      '7: if (true) return true;',
      '7: if (a >= 20 && ok(a)) return true;',
      '7: if (a > 0 && ok(a)) return true;',
      '7: if (a > 20 || ok(a)) return true;',
      '7: if (a > 20 && ok(a)) return false;',
      '8: return a !== 1;',
      '8: return a === 2;',
    ],
  );
});

t.test('a planted defect changes its line only', async (t) => {
  const [first] = mutantsOf('src/a.ts', SOURCE);
  if (first === undefined) throw new Error('no defect');
  t.equal(plant(SOURCE, first), SOURCE.replace("  log('a", "  return; log('a"));
});

t.test('the mirror of a file comes first, then tests that import it, then those that reach it', async (t) => {
  const file = (path: string, ...imports: string[]) =>
    sourceFile(path, imports.map((from) => `import { x } from '${from}';`).join('\n'));
  const files = [
    file('src/a.ts'),
    file('src/b.ts', './a.ts'),
    file('test/b.test.ts', '../src/b.ts'),
    file('test/direct.test.ts', '../src/a.ts'),
    file('test/helper.ts', '../src/a.ts'),
    file('test/helped.test.ts', './helper.ts'),
    file('test/a.test.ts'),
  ];
  t.same(nearestTests('src/a.ts', files, 3), ['test/a.test.ts', 'test/direct.test.ts', 'test/b.test.ts']);
  t.same(nearestTests('src/a.ts', files, 9).slice(3), ['test/helped.test.ts']);
});
