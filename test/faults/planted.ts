/**
 * The suite is tested itself: bundles with a defect each, made by replacing a piece of one function while esbuild reads
 * its file. Nothing of this is in the product.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Plugin } from 'esbuild';
import { bundle } from '../../build/bundle.ts';
import { type RunOptions, type RunReport, run } from './run.ts';
import { type SoakOptions, soak } from './soak.ts';
import type { Count } from './tally.ts';

const root = resolve(import.meta.dirname, '../..');

interface Defect {
  readonly name: string;
  /** Below src/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** At least one of these counts is above 0 then. */
  readonly seenAs: readonly Count[];
}

const DEFECTS: readonly Defect[] = [
  {
    name: 'what comes after sinceTime is delivered again',
    file: 'kubernetes/logs/position.ts',
    from: "this.#mode = delivered === undefined ? 'new' : 'first';",
    to: "this.#mode = 'new';",
    seenAs: ['doubled'],
  },
  {
    name: 'a list does not show what is no longer there',
    file: 'kubernetes/watch/store.ts',
    from: 'if (listed.has(uid) || (!rolledBack && isNewer(known.resourceVersion, version))) continue;',
    to: 'if (uid !== undefined) continue;',
    seenAs: ['states lost', 'ghost jobs'],
  },
  {
    name: 'a 409 is success, even for the object of another client',
    file: 'kubernetes/objects.ts',
    from: 'if (isOurs(stored.object)) return stored;',
    to: 'return stored;',
    seenAs: ['duplicate jobs'],
  },
  {
    name: 'a 410 in the watch is taken for its end',
    file: 'kubernetes/watch/watch.ts',
    from: "return isExpired(error) ? { next: 'list', error } : this.#broken(error);",
    to: "return { next: 'pause', error };",
    seenAs: ['states lost'],
  },
  {
    name: 'a terminal state is worked out anew',
    file: 'jobs/view/state.ts',
    from: 'when: ({ job, announced }) => job.result !== undefined || (announced !== undefined && isFinal(announced.outcome)),',
    to: 'when: () => false,',
    seenAs: ['states changed'],
  },
  {
    name: 'pods of adopted jobs are not selected, because they lack our label',
    file: 'jobs/view/projection.ts',
    from: 'return isOurJob(jobUid) || metadata',
    to: 'return metadata',
    seenAs: ['states lost', 'states wrong', 'outputs refused'],
  },
  {
    name: 'a deletion that a list found is taken for a removal',
    file: 'jobs/view/observation.ts',
    from: "const isEndUnknown = !present && found === 'relist' && !ended && !removed;",
    to: "const isEndUnknown = present && found === 'relist' && !ended && !removed;",
    seenAs: ['states wrong'],
  },
  {
    name: 'pending-timeout-seconds counts from the creation of the job',
    file: 'jobs/view/record.ts',
    from: 'if (job.suspended) return undefined;',
    to: 'if (job.createdAt > 0) return job.createdAt;',
    seenAs: ['states wrong'],
  },
  {
    name: 'a log goes on a second before its newest line, although clocks of nodes step back',
    file: 'kubernetes/logs/position.ts',
    from: 'const MARGIN_S = 10;',
    to: 'const MARGIN_S = 1;',
    seenAs: ['bytes lost'],
  },
  {
    name: 'a watch that only replays old events is taken for healthy',
    file: 'kubernetes/watch/watch.ts',
    from: 'this.#options.version() !== versionBefore || clock.monotonic() - openedAt >= timings.watchTooShort;',
    to: "versionBefore !== 'none' || clock.monotonic() - openedAt >= timings.watchTooShort;",
    seenAs: ['watches repeated'],
  },
];

/** What only time shows, each strong enough to be seen within two minutes. */
const LEAKS: readonly Defect[] = [
  {
    name: 'what was read of an output is kept',
    file: 'jobs/operations/output.ts',
    from: 'delivered = true;',
    to: 'delivered = true; (globalThis.kept ??= []).push(Buffer.alloc(100_000, text));',
    seenAs: ['memory growing'],
  },
  {
    name: 'a watch that is opened leaves another one open, which nobody reads',
    file: 'kubernetes/watch/watch.ts',
    from: 'const response = await this.#open(deadline);',
    to: `const { path: again, transport } = this.#options;
      const watch = { path: again, query: queryOf({ watch: true }), headersMs: 60_000 };
      transport.stream({ ...watch, signal }).catch(() => undefined);
      const response = await this.#open(deadline);`,
    seenAs: ['sockets left', 'sockets growing'],
  },
  {
    name: 'a file is left open by each submit',
    file: 'jobs/operations/submit.ts',
    from: 'let created: KubernetesJob | undefined;',
    to: "let created; process.getBuiltinModule('node:fs').openSync('/dev/null');",
    seenAs: ['descriptors growing'],
  },
];

/** Runs storms against the defective executables; true if all were found. */
export function runPlanted(options: RunOptions): Promise<boolean> {
  return findAll(DEFECTS, options, (command, seed) => run({ ...options, seed, command, log: () => undefined }));
}

/** Runs soaks against those that leak; true if all were found. */
export function runLeaking(options: SoakOptions): Promise<boolean> {
  return findAll(LEAKS, options, (command, seed) => soak({ ...options, seed, command }));
}

/** What a storm meets is chance: it misses one defect in a hundred, and then another storm follows. */
const TRIES = 2;

async function findAll(
  defects: readonly Defect[],
  { seed, log }: Pick<RunOptions, 'seed' | 'log'>,
  runWith: (command: readonly string[], seed: number) => Promise<RunReport>,
): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'planted-'));
  chmodSync(directory, 0o755);
  let found = 0;
  try {
    for (const [index, defect] of defects.entries()) {
      const file = join(directory, `${index}.cjs`);
      await bundle(root, file, [planting(defect)]);
      chmodSync(file, 0o644);
      let isFound = false;
      for (let tried = 0; tried < TRIES && !isFound; tried++) {
        const { verdict } = await runWith([process.execPath, file], seed + tried);
        const reds = [...verdict.counts].filter(([, count]) => count > 0);
        isFound = reds.some(([count]) => defect.seenAs.includes(count));
        const said = reds.map(([count, number]) => `${count} ${number}`).join(', ') || 'nothing wrong';
        log(`${isFound ? 'red' : `NOT FOUND with seed ${seed + tried}`}: ${defect.name}: ${said}`);
        log(`  ${verdict.findings[0] ?? ''}`);
      }
      if (isFound) found++;
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  log(`${found} of ${defects.length} planted defects found`);
  return found === defects.length;
}

/** Throws if the place is not there exactly once: a defect that is not planted would never be missed. */
function planting({ file, from, to, name }: Defect): Plugin {
  return {
    name: 'planted defect',
    setup: ({ onLoad }) => {
      const path = join(root, 'src', file);
      onLoad({ filter: /\.ts$/ }, (loaded) => {
        if (loaded.path !== path) return undefined;
        const [before = '', after, ...more] = readFileSync(path, 'utf8').split(from);
        if (after === undefined || more.length > 0) throw new Error(`"${name}" has no place in src/${file}`);
        return { contents: before + to + after, loader: 'ts' };
      });
    },
  };
}
