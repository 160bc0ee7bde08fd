/** `npm ci` on Node.js 20 prints no warning: no package asks for a newer host, and no install script waits for a decision. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';

interface LockedPackage {
  readonly version?: string;
  readonly engines?: { readonly node?: string };
  readonly hasInstallScript?: boolean;
}

const root = resolve(import.meta.dirname, '../..');
const read = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const locked: readonly (readonly [path: string, entry: LockedPackage])[] = Object.entries(
  read('package-lock.json').packages,
);

/** The lowest major version of a range such as `>=22.19.0` or `^22.22.2 || ^24.15.0`; 0 without a number. */
function lowestMajor(range: string): number {
  const majors = range.split('||').map((part) => Number(/\d+/.exec(part)?.[0] ?? 0));
  return Math.min(...majors);
}

t.test(
  'no locked package asks for more than Node.js 20 (delete its field engines: scripts run on the pinned Node.js 24)',
  async (t) => {
    t.ok(locked.length > 100);
    const newer = locked.filter(([, { engines }]) => lowestMajor(engines?.node ?? '') > 20);
    t.same(
      newer.map(([path]) => path),
      [],
    );
  },
);

t.test('each package with an install script has a decision in package.json', async (t) => {
  const decided = Object.keys(read('package.json').allowScripts);
  const undecided = locked
    .filter(([path, entry]) => path !== '' && entry.hasInstallScript === true)
    .map(([path]) => path.replace(/^.*node_modules\//, ''))
    .filter((name) => !decided.includes(name));
  t.same(undecided, []);
});
