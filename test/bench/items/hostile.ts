/**
 * h. The longest pause of the event loop while the largest job of each shape is submitted: CPU time of the main thread
 * between two answers to heartbeat requests, so that other processes of the machine do not count.
 */
import type { Bench, Item } from '../item.ts';
import { startMeasured } from '../plugin.ts';
import type { Row } from '../report.ts';
import { mainThreadMicros } from '../usage.ts';
import { TEMPLATES } from './templates.ts';

const MAX_PAUSE_MS = 50;
const HEARTBEAT_EVERY_MS = 2;

const many = <T>(count: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** The largest lists that the specification allows, and some beyond, which are refused. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'environment, 10,000 variables': { environment: many(10_000, (i) => ({ name: `V${i}`, value: 'value' })) },
  'environment, one variable of 1 MB': { environment: [{ name: 'V', value: 'x'.repeat(1_000_000) }] },
  'mounts, 1,000 of nfs': {
    mounts: many(1_000, (i) => ({ mountPath: `/m${i}`, type: 'nfs', source: { host: 'h', path: `/${i}` } })),
  },
  'mounts, 16,000 of one name (refused)': {
    mounts: many(16_000, (i) => ({ mountPath: '/', type: 'x', source: { a: i }, name: 'a' })),
  },
  'mount with a source of 90,000 fields (refused)': {
    mounts: [
      {
        mountPath: '/',
        type: 'passthrough',
        source: { csi: { driver: 'd', volumeAttributes: Object.fromEntries(many(90_000, (i) => [`k${i}`, 'v'])) } },
      },
    ],
  },
  'resource limits, 32,000 (refused)': { resourceLimits: many(32_000, (i) => ({ type: `t${i}`, value: '1' })) },
  'ports, 1,000': { exposedPorts: many(1_000, (i) => ({ targetPort: i + 1 })) },
  'init containers, 100': {
    initContainers: many(100, (i) => ({ name: `i${i}`, image: 'busybox:1', command: 'true' })),
  },
  'tags, 10,000': { tags: many(10_000, (i) => `tag ${i}`) },
  'arguments, 50,000': { args: many(50_000, (i) => `argument ${i}`) },
  'label of 50,000 letters': { metadata: { job: { labels: { app: `env[0].value: A${'a'.repeat(50_000)}` } } } },
  'name of 4 MB of letters that are 18 (refused)': { name: '\ufdfa'.repeat(1_300_000) },
  'text of 1 MB without spaces': { command: 'x'.repeat(1_000_000) },
};

/** Text that must not change what a template says is rendered three times. */
const RISKY_SHAPES: typeof SHAPES = {
  'environment, 10,000 variables with quotes': { environment: many(10_000, (i) => ({ name: `V${i}`, value: 'va"l' })) },
  'environment, 9 variables of 131 kB with quotes': {
    environment: many(9, (i) => ({ name: `V${i}`, value: '"x: '.repeat(30_000) })),
  },
  'arguments, 50,000 with quotes': { command: '', exe: '/bin/true', args: many(50_000, (i) => `a"rgument ${i}`) },
  'arguments of a command, 50,000 with quotes (refused)': { args: many(50_000, (i) => `a"rgument ${i}`) },
};

export const hostile: Item = async (bench) => {
  const templating = { 'use-templating': '1', 'template-path': TEMPLATES };
  return [
    ...(await pauses(bench, SHAPES, 'submit with', {})),
    ...(await pauses(bench, { ...SHAPES, ...RISKY_SHAPES }, 'templates and submit with', templating)),
  ];
};

/** Of several runs the shortest: answers that come late only add to a pause. */
async function pauses(
  bench: Bench,
  shapes: typeof SHAPES,
  how: string,
  options: Readonly<Record<string, string>>,
): Promise<readonly Row[]> {
  const runs: (readonly number[])[] = [];
  for (let run = 1; run <= bench.runs; run++)
    runs.push(await longestPauses(bench, shapes, `${how}, run ${run}:`, options));
  return Object.keys(shapes).map((shape, index) => {
    const result = Math.min(...runs.map((found) => found[index] ?? Number.NaN));
    const what = `longest pause, ${how} ${shape}`;
    const bars = [{ name: 'ours', value: result }];
    return { item: 'h', what, bars, unit: 'ms', result, reach: { most: MAX_PAUSE_MS }, ratio: false };
  });
}

/** Milliseconds for each shape, in a plugin that is started for it. */
async function longestPauses(
  { server, progress }: Bench,
  shapes: typeof SHAPES,
  how: string,
  options: Readonly<Record<string, string>>,
): Promise<readonly number[]> {
  const plugin = await startMeasured(server.url, { options });
  try {
    await plugin.launcher.bootstrap();
    const cpu = (): number => mainThreadMicros(plugin.process.pid) / 1000;
    let last = cpu();
    let longest = 0;
    plugin.process.wire.onFrame(({ messageType }) => {
      if (messageType !== 0) return;
      const now = cpu();
      longest = Math.max(longest, now - last);
      last = now;
    });
    const timer = setInterval(() => plugin.process.wire.send({ messageType: 0, requestId: 0 }), HEARTBEAT_EVERY_MS);
    const found: number[] = [];
    for (const [shape, job] of Object.entries(shapes)) {
      progress(`${how} ${shape}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      longest = 0;
      const request = { name: 'hostile', command: 'true', container: { image: 'busybox:1' }, ...job };
      await plugin.launcher.submit('mallory', request).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 50));
      found.push(longest);
    }
    clearInterval(timer);
    return found;
  } finally {
    await plugin.process.close();
  }
}
