/** All suites of this checkout, in the order in which `npm run test:everything` runs them. */

export interface Suite {
  /** For `--only`; suites of one name are chosen together. */
  readonly name: string;
  readonly what: string;
  readonly command: readonly string[];
  /** Its first group is what the suite says of its counts; the last line that matches counts. */
  readonly counts?: RegExp;
  /** Variables without which it has nothing to run on. */
  readonly needs?: readonly string[];
}

const npm = (script: string, ...args: readonly string[]): readonly string[] => [
  'npm',
  'run',
  script,
  ...(args.length === 0 ? [] : ['--', ...args]),
];

const TAP = /^# \{ (total: .*) \}$/gm;

/** The same suite, run by a program that sets the variables which it needs: `PROGRAM npm run test:cluster`. */
export function runBy(program: string, { needs, ...suite }: Suite): Suite {
  return needs === undefined ? suite : { ...suite, command: [program, ...suite.command] };
}

/** Each run takes a seed of its own, and says which. */
const FAULTS: Suite = {
  name: 'faults',
  what: 'the executable under 2,000 faults, with five seeds',
  command: npm('test:faults'),
  counts: /^(?:green|RED): (seed .* faults) \(/gm,
};

export const SUITES: readonly Suite[] = [
  { name: 'check', what: 'types, lint, format, reference', command: npm('check'), counts: /^(Checked \d+ files)/gm },
  { name: 'test', what: 'npm test, with the recorded renderings of templates', command: npm('test'), counts: TAP },
  {
    name: 'long',
    what: '200,000 mutated messages and 100,000 mutated streams',
    command: npm('test:long'),
    counts: TAP,
  },
  {
    name: 'mutants',
    what: 'small defects in src, of which tests may miss a few',
    command: npm('test:mutants', '--count', '100', '--allow', '20'),
    counts: /^(\d+ defects planted, \d+ survived)/gm,
  },
  FAULTS,
  FAULTS,
  FAULTS,
  FAULTS,
  FAULTS,
  {
    name: 'hostile',
    what: 'one user attacks, another one does not notice',
    command: npm('test:hostile'),
    counts: /^(\d+ of \d+ attacks within their bounds)$/gm,
  },
  {
    name: 'planted',
    what: 'planted defects, which the faults must find',
    command: npm('test:faults', '--planted'),
    counts: /^(\d+ of \d+ planted defects found)$/gm,
  },
  {
    name: 'simulated',
    what: 'test:cluster on a simulated cluster in a process of its own',
    command: [process.execPath, `${import.meta.dirname}/simulated.ts`],
    counts: TAP,
  },
  {
    name: 'real',
    what: 'test:cluster on the cluster that CLUSTER_API_URL and its like name, or --real',
    command: npm('test:cluster'),
    counts: TAP,
    needs: ['CLUSTER_API_URL', 'CLUSTER_TOKEN_FILE', 'CLUSTER_CA_FILE'],
  },
  {
    name: 'release',
    what: 'two builds compared, arm64, packages, upgrade from the last release',
    command: npm('test:release'),
    counts: TAP,
  },
  { name: 'deno', what: 'Node, Deno and the executable', command: npm('test:deno'), counts: TAP },
  {
    name: 'bench',
    what: 'what it costs beside others',
    command: npm('bench'),
    counts: /^(\d+ of \d+ reached), in/gm,
  },
  {
    name: 'package',
    what: 'the files of a release',
    command: npm('package'),
    counts: /^dist\/(\S+\.tar\.gz .*)$/gm,
  },
  {
    name: 'currency',
    what: 'pinned packages compared with the registry',
    command: npm('currency'),
    counts: /^(\d+ pinned packages: .*)$/gm,
  },
];
