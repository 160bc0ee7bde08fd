/**
 * Random logs are delivered byte for byte as the cluster has them: the oracle is what `kubectl logs` prints, the answer of
 * the API server without timestamps. On a real cluster: 60 logs or LOGS=N; LOG_SEED=N repeats a run.
 */
import { randomInt } from 'node:crypto';
import t from 'tap';
import { seededRandom } from '../cluster/faults/faults.ts';
import { eventually } from '../support/eventually.ts';
import { setUp } from './harness.ts';

const onCluster = process.env['TEST_ON'] === 'cluster';
const seed = Number(process.env['LOG_SEED'] ?? (onCluster ? randomInt(2 ** 31) : 20));
const LOGS = Number(process.env['LOGS'] ?? (onCluster ? 60 : 10));
const AT_A_TIME = 10;
const world = await setUp(t);
const { cluster } = world;
const random = seededRandom(seed);
t.comment(`LOG_SEED=${seed}`);

const below = (limit: number): number => Math.floor(random() * limit);
const octal = (byte: number): string => `\\${byte.toString(8).padStart(3, '0')}`;
const printf = (bytes: readonly number[]): string => `printf '${bytes.map(octal).join('')}'`;
const NEWLINE = 10;
const RETURN = 13;
const text = (length: number): readonly number[] => Array.from({ length }, () => 97 + below(26));
/** Any bytes but NUL, most of them no UTF-8. */
const garbage = (length: number): readonly number[] => Array.from({ length }, () => 1 + below(255));
const time = (): string => `2026-11-28T1${below(10)}:0${below(10)}:0${below(10)}.${100_000_000 + below(800_000_000)}Z `;

/** Shell commands that write a part of a log. */
const PARTS: readonly (() => string)[] = [
  () => printf([...text(below(60)), NEWLINE]),
  () => printf([NEWLINE]),
  () => printf([...text(5), RETURN, NEWLINE, ...text(5), RETURN]),
  () => printf([...garbage(1 + below(40)), NEWLINE]),
  () => printf(text(1 + below(30))),
  () => `head -c ${[8_192, 16_384, 16_385, 32_768, 50_000][below(5)]} /dev/zero | tr '\\000' x`,
  () => `head -c ${16_384 - 31 * below(2)} /dev/zero | tr '\\000' y; printf '${time()}'; echo in a line`,
  () => `echo '${time()}at the start'`,
  () => 'sleep 0.3',
];

/** Streams are merged by two readers, so that what goes to stderr is complete lines with a pause on both sides. */
const ON_STDERR = (): string => `sleep 1; ${printf([...text(20), NEWLINE])} >&2; sleep 1`;

function script(): string {
  const parts = Array.from({ length: 1 + below(8) }, () => PARTS[below(PARTS.length)]?.() ?? '');
  if (random() < 0.3) parts.push('echo', ON_STDERR(), printf(text(10)));
  return parts.join('; ');
}

async function compare(command: string): Promise<{ readonly difference: string; readonly bytes: number }> {
  const { id } = await world.submit({ command });
  const followed = await world.text(id);
  await world.until(id, 'Finished');
  const again = await world.text(id);
  const bytes = await logOf(id);
  const oracle = bytes.toString();
  const difference = [followed, again].map((got) => differenceOf(oracle, got)).join('|');
  return { difference: difference === '|' ? '' : `${difference} of ${command}`, bytes: bytes.length };
}

/** The log of a job as `kubectl logs` prints it, or its beginning. */
async function logOf(id: string, bytes = 100_000_000): Promise<Buffer> {
  const pods = await cluster.namespaced('GET', '', `pods?labelSelector=job-name%3D${id}`);
  const [pod] = pods.body['items'] as { metadata: { name: string } }[];
  const query = `container=rs-launcher-container&limitBytes=${bytes}`;
  return (await cluster.namespaced('GET', '', `pods/${pod?.metadata.name}/log?${query}`)).bytes;
}

/** Where two texts differ first; '' if they are equal. */
function differenceOf(wanted: string, got: string): string {
  if (wanted === got) return '';
  let at = 0;
  while (wanted[at] === got[at]) at++;
  const around = (each: string): string => JSON.stringify(each.slice(Math.max(0, at - 20), at + 40));
  return `at ${at} of ${wanted.length}: ${around(got)}, kubectl logs has ${around(wanted)}`;
}

t.test('random logs are delivered as kubectl logs prints them, followed and afterwards', async (t) => {
  const commands = Array.from({ length: LOGS }, script);
  const differences: string[] = [];
  let written = 0;
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      for (let command = commands.pop(); command !== undefined; command = commands.pop()) {
        const { difference, bytes } = await compare(command);
        if (difference !== '') differences.push(difference);
        written += bytes;
      }
    }),
  );
  t.strictSame(differences, []);
  t.ok(written > LOGS * 1_000, `${written} bytes`);
});

t.test('a log that the node rotates at 10 MiB is complete for a reader that follows it', async (t) => {
  const filler = 'x'.repeat(1_000);
  const [start, end] = [world.gate(), world.gate()];
  const { id } = await world.submit({
    command: `echo 0; ${start.wait}; seq 11000 | sed 's/$/ ${filler}/'; echo before; ${end.wait}; echo after`,
  });
  let followed = '';
  const { completed } = world.launcher.output(world.user, id, (piece) => {
    followed += piece;
  });
  await eventually(() => followed === '0\n', 'it is followed');
  await start.open(id);
  await eventually(() => followed.endsWith('before\n'), 'all of it has come');
  // A real node looks for long logs every 10 s.
  await eventually(async () => (await logOf(id, 1_000_000)).length < 1_000_000, 'the log is rotated');
  await end.open(id);
  await completed;
  await world.until(id, 'Finished');
  const lines = Array.from({ length: 11_000 }, (_, index) => `${index + 1} ${filler}\n`);
  t.equal(differenceOf(`0\n${lines.join('')}before\nafter\n`, followed), '');
  const left = (await logOf(id)).toString();
  t.ok(left.length < 1_000_000 && left.endsWith('after\n'), `the node has ${left.length} bytes of it`);
  t.equal(differenceOf(left, await world.text(id)), '');
});
