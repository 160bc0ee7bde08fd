/** Lists and watches are read as protobuf where the server speaks it and it can be read, else as JSON. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import t, { type Test } from 'tap';
import {
  EVENTS,
  JOBS,
  type KubernetesObject,
  type Projected,
  type ReflectorOptions,
  type Resource,
} from '../../../src/kubernetes/contract.ts';
import { ProtobufWriter, readSchema } from '../../cluster/protobuf.ts';
import { apiServer, clientOf, type Exchange, recordingLog, status } from '../server.ts';

const writer = new ProtobufWriter(readSchema());
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const BOTH = { LIST: `${PROTOBUF}, application/json`, WATCH: `${PROTOBUF};stream=watch, application/json` };

type JsonObject = Readonly<Record<string, unknown>>;

const job = (name: string, version: number, spec: JsonObject = {}): JsonObject => ({
  kind: 'Job',
  apiVersion: 'batch/v1',
  metadata: { name, uid: `uid-${name}`, resourceVersion: String(version), managedFields: [{ manager: 'curl' }] },
  spec,
});
const list = (version: number, ...items: readonly JsonObject[]): JsonObject => ({
  kind: 'JobList',
  apiVersion: 'batch/v1',
  metadata: { resourceVersion: String(version) },
  items,
});

type Step = (exchange: Exchange) => void;

const sends =
  (code: number, object: JsonObject): Step =>
  ({ response }) => {
    response.writeHead(code, { 'content-type': PROTOBUF });
    response.end(writer.body(object));
  };
/** Sends frames, and then nothing more. */
const streams =
  (...events: readonly (readonly [type: string, object: JsonObject] | Buffer)[]): Step =>
  ({ response }) => {
    response.writeHead(200, { 'content-type': `${PROTOBUF};stream=watch` });
    for (const event of events) {
      response.write(Buffer.isBuffer(event) ? event : writer.frame({ type: event[0], object: event[1] }));
    }
  };
const streamsJson =
  (...events: readonly (readonly [type: string, object: JsonObject])[]): Step =>
  ({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    for (const [type, object] of events) response.write(`${JSON.stringify({ type, object })}\n`);
  };

interface Slim extends Projected {
  readonly parallelism: number | undefined;
}

/** Follows jobs of a server that takes one step for each request, until so many events came. Returns what was seen. */
async function follow(
  t: Test,
  steps: readonly Step[],
  count: number,
  resource: Resource<KubernetesObject> = JOBS,
  projectKnown?: ReflectorOptions<Job, Slim>['projectKnown'],
): Promise<{ requests: string[]; accepts: string[]; events: string[]; warnings: string[]; errors: string[] }> {
  const requests: string[] = [];
  const accepts: string[] = [];
  const events: string[] = [];
  let step = 0;
  const server = await apiServer(t, (exchange) => {
    const what = exchange.url.searchParams.get('watch') === 'true' ? 'WATCH' : 'LIST';
    requests.push(`${what} ${exchange.url.searchParams.get('resourceVersion') ?? ''}`.trim());
    accepts.push(exchange.request.headers.accept ?? '');
    steps[step++]?.(exchange);
  });
  const log = recordingLog();
  const client = clientOf(t, server.url, { watchTimeoutSeconds: 0 }, log);
  const end = new AbortController();
  const seen = Promise.withResolvers<void>();
  const reflector = client.reflector({
    resource,
    selection: {},
    project: ({ metadata, spec }: Job) => ({
      uid: metadata?.uid ?? '',
      name: metadata?.name ?? '',
      resourceVersion: metadata?.resourceVersion ?? '',
      parallelism: spec?.parallelism,
    }),
    ...(projectKnown === undefined ? {} : { projectKnown }),
    onEvent: (event) => {
      const { name, resourceVersion, parallelism } = event.object;
      events.push(`${event.type} ${name} ${resourceVersion} ${parallelism}`);
      if (events.length === count) seen.resolve();
    },
  });
  const running = reflector.run(end.signal);
  await seen.promise;
  end.abort(new Error('enough'));
  await running;
  const logged = (which: string) => log.lines.filter(({ level }) => level === which).map(({ sentence }) => sentence);
  return { requests, accepts, events, warnings: logged('WARNING'), errors: logged('ERROR') };
}

const TROUBLE = 'Watch failed; retrying';
const FALLBACK = 'Cannot decode protobuf of this kind; requesting JSON for it from now on, which takes more CPU time';

t.test('given a server that speaks protobuf, lists and watches are read from it', async (t) => {
  const { requests, accepts, events, warnings } = await follow(
    t,
    [
      sends(200, list(10, job('a', 5, { parallelism: 1 }))),
      streams(
        ['MODIFIED', job('a', 11, { parallelism: 0 })],
        ['BOOKMARK', job('', 20)],
        ['ERROR', status(410, 'Expired', 'too old resource version: 20 (30)') as JsonObject],
      ),
      sends(200, list(30, job('b', 25))),
      streams(['DELETED', job('b', 31)]),
    ],
    5,
  );
  t.strictSame(requests, ['LIST', 'WATCH 10', 'LIST', 'WATCH 30']);
  t.strictSame(accepts, [BOTH.LIST, BOTH.WATCH, BOTH.LIST, BOTH.WATCH]);
  t.strictSame(events, [
    'ADDED a 5 1',
    'MODIFIED a 11 0',
    'DELETED a 11 0',
    'ADDED b 25 undefined',
    'DELETED b 31 undefined',
  ]);
  t.strictSame(warnings, [TROUBLE]);
});

t.test(
  'given a projection of known objects, it is called first with each event in protobuf, and the rest is decoded',
  async (t) => {
    let calls = 0;
    const { events, errors } = await follow(
      t,
      [
        sends(200, list(10, job('a', 5, { parallelism: 1 }))),
        streams(
          ['MODIFIED', job('a', 11, { parallelism: 2 })],
          ['MODIFIED', job('a', 12, { parallelism: 3 })],
          ['MODIFIED', job('a', 13, { parallelism: 4 })],
          ['DELETED', job('a', 14, { parallelism: 4 })],
        ),
      ],
      5,
      JOBS,
      (event, known) => {
        t.ok(event.includes('uid-a'));
        t.equal(known('uid-b'), undefined);
        const before = known('uid-a');
        if (++calls === 2) throw new TypeError('cannot scan');
        return calls === 1 && before !== undefined ? { ...before, resourceVersion: '11', parallelism: 90 } : undefined;
      },
    );
    t.strictSame(events, ['ADDED a 5 1', 'MODIFIED a 11 90', 'MODIFIED a 12 3', 'MODIFIED a 13 4', 'DELETED a 14 4']);
    t.strictSame(errors, ['BUG: cannot scan an event; decoding it']);
  },
);

t.test('given a refusal in protobuf, it is understood', async (t) => {
  const expired = status(410, 'Expired', 'too old resource version: 10 (30)') as JsonObject;
  const { requests } = await follow(
    t,
    [sends(200, list(10)), sends(410, expired), sends(200, list(30, job('a', 25)))],
    1,
  );
  t.strictSame(requests.slice(0, 3), ['LIST', 'WATCH 10', 'LIST'], 'not the same watch again');
});

t.test('given a server that speaks JSON only, nothing is lost', async (t) => {
  const { accepts, events, warnings } = await follow(
    t,
    [(exchange) => exchange.answer(200, list(10, job('a', 5))), streamsJson(['DELETED', job('a', 11)])],
    2,
  );
  t.strictSame(accepts, [BOTH.LIST, BOTH.WATCH]);
  t.strictSame(events, ['ADDED a 5 undefined', 'DELETED a 11 undefined']);
  t.strictSame(warnings, []);
});

t.test('given protobuf that cannot be read twice, JSON is asked for, with one warning', async (t) => {
  const group = Buffer.from([0, 0, 0, 2, 0x0b, 0x0c]);
  const { requests, accepts, events, warnings } = await follow(
    t,
    [
      sends(200, list(10)),
      streams(['ADDED', job('a', 11)], group, ['ADDED', job('never', 12)]),
      streams(Buffer.from([0xff, 0xff, 0xff, 0xff])),
      (exchange) => exchange.answer(200, list(20, job('a', 15, { parallelism: 1 }))),
      streamsJson(['MODIFIED', job('a', 21, { parallelism: 0 })]),
    ],
    3,
  );
  t.strictSame(requests, ['LIST', 'WATCH 10', 'WATCH 11', 'LIST', 'WATCH 20']);
  t.strictSame(accepts, [BOTH.LIST, BOTH.WATCH, BOTH.WATCH, 'application/json', 'application/json']);
  t.strictSame(events, ['ADDED a 11 undefined', 'MODIFIED a 15 1', 'MODIFIED a 21 0']);
  t.strictSame(warnings, [TROUBLE, FALLBACK]);
});

t.test('given a volume of a kind that is not read, protobuf goes on', async (t) => {
  const spec = { template: { spec: { volumes: [{ name: 'v', iscsi: {} }] } } };
  const { accepts, warnings } = await follow(
    t,
    [sends(200, list(10, job('a', 5, spec))), streams(['MODIFIED', job('a', 11)])],
    2,
  );
  t.strictSame(accepts, [BOTH.LIST, BOTH.WATCH]);
  t.strictSame(warnings, []);
});

t.test('given a kind without a table, JSON is asked for', async (t) => {
  const events = { ...list(10, job('a', 5)), kind: 'EventList' };
  const { accepts } = await follow(t, [(exchange) => exchange.answer(200, events)], 1, EVENTS);
  t.equal(accepts[0], 'application/json');
});
