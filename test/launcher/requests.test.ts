/** Requests are validated by their table, and errors name the field, the value and what is allowed. */
import t from 'tap';
import { BrokenFrameError } from '../../src/launcher/frames.ts';
import { type ParsedRequest, parseRequest } from '../../src/launcher/requests.ts';

const parse = (message: unknown): ParsedRequest => parseRequest(Buffer.from(JSON.stringify(message)));
const problem = (message: Record<string, unknown>): string => {
  const parsed = parse({ requestId: 7, username: 'u', jobId: 'job-1', ...message });
  return parsed.outcome === 'refused' ? `${parsed.code}: ${parsed.message}` : parsed.outcome;
};
const submitted = (job: Record<string, unknown>): string =>
  problem({ messageType: 2, job: { name: 'a', command: 'true', ...job } });

t.test('[frame-not-json] a body that is not JSON breaks the conversation; its text is not in the error', (t) => {
  for (const body of ['', '{', '{"a":1}x', '{"token":secret}', '\ufeff{}']) {
    const error = ((): unknown => {
      try {
        return parseRequest(Buffer.from(body));
      } catch (thrown) {
        return thrown;
      }
    })();
    t.type(error, BrokenFrameError, body);
    t.match(error, { message: 'a frame arrived with a body that is not JSON', cause: undefined });
  }
  t.end();
});

t.test('[limits] depth 64 and 100,000 values, before anything else', (t) => {
  const nested = (depth: number): string =>
    `{"messageType":0,"requestId":1,"x":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  const outcome = (json: string): string => {
    const parsed = parseRequest(Buffer.from(json));
    return parsed.outcome === 'refused' ? parsed.message : parsed.outcome;
  };
  t.equal(outcome(nested(63)), 'request');
  t.equal(outcome(nested(64)), 'the message is refused: it is nested deeper than 64 levels');
  t.equal(outcome(nested(1_000_000)), 'the message is refused: it is nested deeper than 64 levels');
  const wide = (values: number): string => `{"messageType":0,"requestId":1,"x":[${Array(values).fill('0').join(',')}]}`;
  t.equal(outcome(wide(99_996)), 'request');
  t.equal(outcome(wide(99_997)), 'the message is refused: it holds more than 100000 values');
  t.end();
});

t.test('[field-errors] an error says which field of which message, what was there, what is allowed', (t) => {
  const cases: [Record<string, unknown>, string][] = [
    [{ messageType: undefined }, 'invalid-request: message: messageType is missing; it must be a whole number'],
    [{ messageType: 1.5 }, 'invalid-request: message: messageType is 1.5; it must be a whole number'],
    [{ messageType: '3' }, 'invalid-request: message: messageType is text; it must be a whole number'],
    [{ messageType: -1 }, 'request-not-supported: messages of type -1 are not supported'],
    [{ messageType: 1 }, 'invalid-request: bootstrap (message type 1): version is missing; it must be an object'],
    [
      { messageType: 1, version: { major: 3, minor: 'x', patch: 0 } },
      'invalid-request: bootstrap (message type 1): version.minor is text; it must be a whole number, 0 or more',
    ],
    [
      { messageType: 3, username: undefined },
      'invalid-request: get jobs (message type 3): username is missing; it must be text that is not empty',
    ],
    [
      { messageType: 3, username: '  ' },
      'invalid-request: get jobs (message type 3): username is ""; it must be text that is not empty',
    ],
    [
      { messageType: 3, requestUsername: 5 },
      'invalid-request: get jobs (message type 3): requestUsername is a number; it must be text',
    ],
    [
      { messageType: 3, encodedJobId: [] },
      'invalid-request: get jobs (message type 3): encodedJobId is a list; it must be text',
    ],
    [{ messageType: 3, jobId: null }, 'invalid-request: get jobs (message type 3): jobId is missing; it must be text'],
    [
      { messageType: 3, tags: ['a', 1] },
      'invalid-request: get jobs (message type 3): tags[1] is a number; it must be text',
    ],
    [{ messageType: 3, tags: [null] }, 'invalid-request: get jobs (message type 3): tags[0] is null; it must be text'],
    [
      { messageType: 3, statuses: ['running', 'Dead', 'Gone'] },
      'invalid-request: get jobs (message type 3): statuses has "Dead", "Gone", which are no states; states are Pending, Running, Suspended, Finished, Failed, Killed, Canceled',
    ],
    [
      { messageType: 3, startTime: 'yesterday' },
      'invalid-request: get jobs (message type 3): startTime is "yesterday"; it must be a date such as 2026-01-02T03:04:05Z',
    ],
    [
      { messageType: 3, startTime: 'y'.repeat(61) },
      `invalid-request: get jobs (message type 3): startTime is "${'y'.repeat(60)}…"; it must be a date such as 2026-01-02T03:04:05Z`,
    ],
    [
      { messageType: 3, endTime: '' },
      'invalid-request: get jobs (message type 3): endTime is ""; it must be a date such as 2026-01-02T03:04:05Z',
    ],
    [
      { messageType: 4, cancel: 'yes' },
      'invalid-request: job status stream (message type 4): cancel is text; it must be true or false',
    ],
    [
      { messageType: 5 },
      'invalid-request: control job (message type 5): operation is missing; it must be 0 (suspend), 1 (resume), 2 (stop), 3 (kill), 4 (cancel)',
    ],
    [
      { messageType: 5, operation: 5 },
      'invalid-request: control job (message type 5): operation is 5; it must be 0 (suspend), 1 (resume), 2 (stop), 3 (kill), 4 (cancel)',
    ],
    [
      { messageType: 5, operation: 2, jobId: '*' },
      'invalid-request: control job (message type 5): jobId is "*"; it must be the id of one job',
    ],
    [
      { messageType: 6, outputType: 3 },
      'invalid-request: job output stream (message type 6): outputType is 3; it must be 0 or "stdout", 1 or "stderr", 2 or "mixed" or "both"',
    ],
    [
      { messageType: 8, jobId: '*' },
      'invalid-request: job network (message type 8): jobId is "*"; it must be the id of one job',
    ],
    [
      { messageType: 9, username: '' },
      'invalid-request: cluster info (message type 9): username is ""; it must be text that is not empty',
    ],
    [
      { messageType: 202, generation: -1 },
      'invalid-request: config reload (message type 202): generation is -1; it must be a whole number, 0 or more',
    ],
    [{ messageType: 2 }, 'invalid-request: submit job (message type 2): job is missing; it must be an object'],
  ];
  for (const [message, expected] of cases) t.equal(problem(message), expected);
  t.end();
});

t.test('[submit-rules] a submitted job must meet the rules of section 6', (t) => {
  const error = (text: string): string => `invalid-request: submit job (message type 2): job${text}`;
  const cases: [Record<string, unknown>, string][] = [
    [{ name: undefined }, error('.name is missing; it must be text')],
    [{ exe: '/bin/x' }, error('.command and exe are both given; a job runs one of them')],
    [{ command: '' }, error('.command is missing, and so are exe and container; one of them must say what to run')],
    [
      { command: '', container: {} },
      error('.command is missing, and so are exe and container; one of them must say what to run'),
    ],
    [{ command: '', container: { image: 'r' } }, 'request'],
    [{ container: { runAsUserId: 1 } }, error('.container.image is missing; it must be text')],
    [
      { container: { image: 'i', runAsUserId: -1 } },
      error('.container.runAsUserId is -1; it must be a whole number from 0 to 2147483647'),
    ],
    [
      { container: { image: 'i', supplementalGroupIds: [0, 2147483648] } },
      error('.container.supplementalGroupIds[1] is 2147483648; it must be a whole number from 0 to 2147483647'),
    ],
    [{ container: [{ image: 'r' }] }, error('.container is a list; it must be an object')],
    [
      { status: 'dead' },
      error('.status is "dead"; it must be one of Pending, Running, Suspended, Finished, Failed, Killed, Canceled'),
    ],
    [{ status: ' RUNNING ' }, 'request'],
    [{ submissionTime: 'x' }, error('.submissionTime is "x"; it must be a date such as 2026-01-02T03:04:05Z')],
    [{ environment: [{ name: 'A', value: 12345 }] }, error('.environment[0].value is a number; it must be text')],
    [{ environment: [{ name: 'A' }] }, error('.environment[0].value is missing; it must be text')],
    [{ stdin: ['secret'] }, error('.stdin is a list; it must be text')],
    [
      { config: [{ name: 'a', valueType: 'bool' }] },
      error('.config[0].valueType is "bool"; it must be one of string, int, float, enum'),
    ],
    [{ config: [{ name: 'a', valueType: ' int ' }] }, 'request'],
    [{ exposedPorts: [{ targetPort: 1.5 }] }, error('.exposedPorts[0].targetPort is 1.5; it must be a whole number')],
    [
      { exposedPorts: [{ targetPort: 2 ** 60 }] },
      error('.exposedPorts[0].targetPort is 1152921504606847000; it must be a whole number'),
    ],
    [{ mounts: [{ type: 'host', source: { path: '/a' } }] }, error('.mounts[0].mountPath is missing; it must be text')],
    [
      { mounts: [{ mountPath: '/a', type: 'host', source: {} }] },
      error('.mounts[0].source.path is missing; it must be text that is not empty'),
    ],
    [{ mounts: [{ mountPath: '/a', source: {} }] }, error('.mounts[0].type is missing; it must be text')],
    [
      { mounts: [{ mountPath: '/a', mountSource: { type: 'cephFs', source: { monitors: [] } } }] },
      error('.mounts[0].mountSource.source.monitors is a list of 0; it must be a list of at least 1'),
    ],
    [
      { mounts: [{ mountPath: '/a', type: 'azureFile', source: { secretName: 's' } }] },
      error('.mounts[0].source.shareName is missing; it must be text that is not empty'),
    ],
    [
      { mounts: [{ mountPath: '/a', type: 'glusterFs', source: { path: 's' } }] },
      error('.mounts[0].source.endpoints is missing; it must be text that is not empty'),
    ],
    [
      { mounts: [{ mountPath: '/a', type: 'nfs', source: { path: 's' } }] },
      error('.mounts[0].source.host is missing; it must be text that is not empty'),
    ],
    [{ mounts: [{ mountPath: '/a', type: 'NFS', source: { any: 1 } }] }, 'request'],
    [{ mounts: [{ mountPath: '/a', type: '__proto__', source: {} }] }, 'request'],
    [
      { mounts: [{ mountPath: '/a', type: 'passthrough', source: 'x' }] },
      error('.mounts[0].source is text; it must be an object'),
    ],
    [
      { initContainers: [{ name: 'i', image: 'r', command: 'a', exe: 'b' }] },
      error('.initContainers[0].command and exe are both given; a container runs one of them'),
    ],
    [{ initContainers: [{ name: 'i' }] }, error('.initContainers[0].image is missing; it must be text')],
    [
      { placementConstraints: [{ name: 'zone' }], resourceLimits: [{ type: 'memory' }], config: [{ name: 'x' }] },
      'request',
    ],
    [{ resourceLimits: [{ value: '1' }] }, error('.resourceLimits[0].type is missing; it must be text')],
    [{ unknownMember: { deep: [1] }, id: 'x', exitCode: 3, pid: 4 }, 'request'],
  ];
  for (const [job, expected] of cases) t.equal(submitted(job), expected);
  t.end();
});

t.test('[accept-null] null counts as absent, unknown fields are ignored, the last of duplicate names counts', (t) => {
  t.equal(problem({ messageType: 6, cancel: null, outputType: null, requestUsername: null, more: 1 }), 'request');
  const parsed = parseRequest(
    Buffer.from('{"messageType":3,"requestId":1,"username":"a","username":" b ","jobId":"x","jobId":"y"}'),
  );
  t.match(parsed, { outcome: 'request', request: { kind: 'getJobs', username: 'b', jobId: 'y' } });
  t.end();
});

t.test('[cancel-any] a cancel is read before anything else of a stream request', (t) => {
  for (const [messageType, stream] of [
    [4, 'statusStream'],
    [6, 'outputStream'],
    [7, 'usageStream'],
  ]) {
    t.strictSame(parse({ messageType, requestId: 5, cancel: true, jobId: 7 }), {
      outcome: 'request',
      request: { kind: 'cancelStream', requestId: '5', stream },
      values: 5,
    });
  }
  t.end();
});

t.test('[output-types] outputType as number or text', (t) => {
  const label = (outputType: unknown): unknown => {
    const parsed = parse({ messageType: 6, requestId: 5, username: 'u', jobId: 'x', outputType });
    return parsed.outcome === 'request' && parsed.request.kind === 'outputStream'
      ? parsed.request.outputType
      : parsed.outcome;
  };
  t.strictSame([0, 'stdout', 1, 'stderr', 2, 'mixed', 'both', null, undefined].map(label), [
    'stdout',
    'stdout',
    'stderr',
    'stderr',
    'mixed',
    'mixed',
    'mixed',
    'mixed',
    'mixed',
  ]);
  t.end();
});
