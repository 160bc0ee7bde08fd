/** The judge of final states and outputs, on journals and frames written by hand. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { judgeOutput, judgeState } from './judge.ts';
import { createLedger } from './ledger.ts';
import { type JobRecord, newRecord } from './record.ts';

const DELETED_AT = 5_000;
const LIST_OF_ALL = '/api/v1/namespaces/rstudio/pods?labelSelector=job-name&limit=50&resourceVersion=0';
const LIST_OF_ONE = '/api/v1/namespaces/rstudio/pods?labelSelector=job-name%3Df0031-g8t0ccvjz5';
const WATCH = '/api/v1/namespaces/rstudio/pods?labelSelector=job-name&resourceVersion=7&watch=true';

function record(action?: 'delete-pod'): JobRecord {
  const made = newRecord({
    name: 'f0031',
    kind: action === undefined ? 'slow lines' : 'pod deleted',
    job: {},
    ...(action === undefined ? {} : { action }),
    expected: { state: action === undefined ? 'Finished' : 'Killed' },
    text: () => '',
  });
  made.id = 'f0031-g8t0ccvjz5';
  return made;
}

function findings(
  of: JobRecord,
  frame: { status: string; code: string; message: string },
  requests: readonly Request[],
) {
  const ledger = createLedger();
  ledger.take({
    id: 'f0031-g8t0ccvjz5',
    name: 'f0031',
    status: frame.status,
    statusCode: frame.code,
    statusMessage: frame.message,
    seqId: 1,
  });
  const found: string[] = [];
  const pod = { namespace: 'rstudio', name: 'f0031-g8t0ccvjz5-dvfdh', uid: 'u' };
  const journal = {
    processes: [],
    deleted: [{ at: DELETED_AT, kind: 'Pod', ...pod }],
    requests: requests.map(({ at, path }) => ({ at, path, method: 'GET', user: 'launcher', status: 200 })),
    output: () => undefined,
  };
  judgeState({ journal }, [ledger], of, (count) => found.push(count));
  return found;
}

interface Request {
  readonly at: number;
  readonly path: string;
}

const UNKNOWN = {
  status: 'Failed',
  code: 'BackoffLimitExceeded',
  message: 'its pod was deleted; how it ended is not known',
};
const LISTED = [{ at: 6_000, path: LIST_OF_ALL }];

t.test('a deletion that only a list showed may end as Failed with an unknown end', async (t) => {
  t.strictSame(findings(record('delete-pod'), UNKNOWN, LISTED), []);
});

t.test('a deletion that the watch delivered ends as Killed', async (t) => {
  const others = [LIST_OF_ONE, WATCH].map((path) => ({ at: 6_000, path }));
  t.strictSame(findings(record('delete-pod'), UNKNOWN, [{ at: 4_000, path: LIST_OF_ALL }, ...others]), [
    'states wrong',
  ]);
});

t.test('an unknown end is reported with its sentence', async (t) => {
  t.strictSame(findings(record('delete-pod'), { ...UNKNOWN, message: '' }, LISTED), ['states wrong']);
});

t.test('a job with a pod that nobody deleted has a known end', async (t) => {
  t.strictSame(findings(record(), UNKNOWN, LISTED), ['states wrong']);
});

const LINES = ['f0475 0 first\n', 'f0475 1 second\n', 'f0475 2 third\n'];

/** Of a job: its first pod wrote three lines, the second one wrote two. */
function outputFindings(text: string, end: 'complete' | 'restarted') {
  const id = 'f0475-nws12i1esw';
  const resumed = newRecord({
    name: 'f0475',
    kind: 'suspended and resumed',
    job: {},
    action: 'suspend',
    expected: { state: 'Finished' },
    text: (bytes) => LINES.join('').slice(0, bytes),
  });
  resumed.id = id;
  resumed.readings.push({ text, end });
  const written: Readonly<Record<string, string>> = { p1: LINES.join(''), p2: LINES.slice(0, 2).join('') };
  const processOf = (podUid: string) => ({
    pod: `${id}-${podUid}`,
    podUid,
    container: 'rs-launcher-container',
    pid: 2,
    startedAt: 1,
  });
  const output = (podUid: string, container: string) => {
    const all = written[podUid] ?? '';
    const sha256 = createHash('sha256').update(all).digest('hex');
    return { pod: `${id}-${podUid}`, podUid, container, bytes: all.length, sha256 };
  };
  const journal = { processes: [processOf('p1'), processOf('p2')], deleted: [], requests: [], output };
  const found: string[] = [];
  judgeOutput({ journal }, resumed, undefined, (count) => found.push(count));
  return found;
}

t.test('a restart may cut an output within the log of the first pod', async (t) => {
  t.strictSame(outputFindings(LINES.join(''), 'restarted'), []);
});

t.test('a restart is no reason for a line that comes twice', async (t) => {
  t.strictSame(outputFindings(`${LINES[0]}${LINES[1]}${LINES[1]}`, 'restarted'), ['bytes lost', 'doubled']);
});

t.test('an output that ends has the log of the last pod', async (t) => {
  t.strictSame(outputFindings([...LINES, LINES[0], LINES[1]].join(''), 'complete'), []);
});
