import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { Backoff } from '../../src/kubernetes/backoff.ts';
import { JOBS, NODES, POD_METRICS, PODS } from '../../src/kubernetes/contract.ts';
import { Deadline } from '../../src/kubernetes/deadline.ts';
import {
  errorOfAnswer,
  errorOfConnection,
  errorOfStatus,
  isAlreadyExists,
  isConflict,
  isExpired,
  isForbidden,
  isInvalid,
  isMissingRight,
  isNotFound,
  isTimeout,
  isTransient,
  isUnauthorized,
  isUnreachable,
  KubernetesError,
} from '../../src/kubernetes/errors.ts';
import { isName, pathOf, queryOf, resourcePath } from '../../src/kubernetes/paths.ts';
import { warningTexts } from '../../src/kubernetes/request.ts';
import { isNewer } from '../../src/kubernetes/store.ts';
import { LineSplitter, MAX_WATCH_LINE } from '../../src/kubernetes/watch-lines.ts';
import type { Clock } from '../../src/system/clock.ts';

/** A clock that stands still until it is moved. */
class HandClock implements Clock {
  time = 0;
  readonly #timers = new Set<{ at: number; run: () => void }>();

  readonly now = (): number => this.time;
  readonly monotonic = (): number => this.time;
  readonly after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.time + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get pending(): number {
    return this.#timers.size;
  }

  pass(ms: number): void {
    this.time += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.time) continue;
      this.#timers.delete(timer);
      timer.run();
    }
  }
}

t.test('paths are made of names only', async (t) => {
  t.equal(pathOf('api', 'v1', 'nodes'), '/api/v1/nodes');
  t.equal(resourcePath(JOBS, 'rstudio', 'a-1'), '/apis/batch/v1/namespaces/rstudio/jobs/a-1');
  t.equal(resourcePath(PODS, 'rstudio', 'a.b', 'log'), '/api/v1/namespaces/rstudio/pods/a.b/log');
  t.equal(resourcePath(NODES, 'rstudio', 'ip-10-0-0-1.eu'), '/api/v1/nodes/ip-10-0-0-1.eu');
  t.equal(resourcePath(POD_METRICS, 'rstudio'), '/apis/metrics.k8s.io/v1beta1/namespaces/rstudio/pods');
  const wrong = [
    '..',
    '.',
    '',
    '%2e%2e',
    'a/b',
    'a?b',
    'a#b',
    'a b',
    'a\r\nHost: x',
    'a\0',
    'A',
    'ä',
    'a..b',
    '.a',
    'a.',
    '-a',
    'a_b',
    'a\\b',
    'a;b',
  ];
  for (const name of wrong) {
    t.equal(isName(name), false, JSON.stringify(name));
    t.throws(() => pathOf('api', name), { name: 'TypeError' });
  }
  t.throws(() => resourcePath(JOBS, '..', 'x'), { name: 'TypeError' });
  t.equal(isName('a'.repeat(253)), true);
  t.equal(isName('a'.repeat(254)), false);
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('a', '.', '/', '%', '-', '2', 'e') }))),
      (segments) => {
        try {
          return new URL(`http://x${pathOf('api', ...segments)}`).pathname === `/${['api', ...segments].join('/')}`;
        } catch (error) {
          return error instanceof TypeError && /not a Kubernetes name/.test(error.message);
        }
      },
    ),
  );
});

t.test('queries', async (t) => {
  t.equal(queryOf({}), '');
  t.equal(queryOf({ a: undefined, b: 0, c: false, d: '' }), '?b=0&c=false&d=');
  t.equal(
    queryOf({ command: ['sh', '-c', 'a;b + "c"&d=e#f%'] }),
    '?command=sh&command=-c&command=a%3Bb%20%2B%20%22c%22%26d%3De%23f%25',
  );
});

t.test('answers become errors', async (t) => {
  const call = { method: 'GET', path: '/api/v1/x', authorization: undefined };
  const of = (code: number, reason: string, message: string, details?: unknown): KubernetesError =>
    errorOfAnswer(JSON.stringify({ kind: 'Status', status: 'Failure', message, reason, details, code }), {
      ...call,
      status: code,
    });
  const invalid = of(422, 'Invalid', 'Job.batch "x" is invalid', {
    kind: 'Job',
    causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.template' }],
  });
  t.strictSame(
    { ...invalid, message: invalid.message },
    {
      name: 'KubernetesError',
      code: 'invalid',
      method: 'GET',
      path: '/api/v1/x',
      status: 422,
      reason: 'Invalid',
      text: 'Job.batch "x" is invalid',
      message: 'Kubernetes finds it invalid: Job.batch "x" is invalid [GET /api/v1/x: 422 Invalid]',
      causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.template' }],
      retryAfterSeconds: undefined,
      about: 'Job',
    },
  );
  t.strictSame(
    [
      of(400, 'BadRequest', 'm'),
      of(401, 'Unauthorized', 'm'),
      of(403, 'Forbidden', 'm'),
      of(404, 'NotFound', 'm'),
      of(405, 'MethodNotAllowed', 'm'),
      of(409, 'AlreadyExists', 'm'),
      of(409, 'Conflict', 'm'),
      of(410, 'Expired', 'm'),
      of(410, 'Gone', 'm'),
      of(413, 'RequestEntityTooLarge', 'm'),
      of(415, 'UnsupportedMediaType', 'm'),
      of(422, 'Invalid', 'm'),
      of(429, 'TooManyRequests', 'm'),
      of(500, '', 'm'),
      of(503, 'ServiceUnavailable', 'm'),
      of(504, 'Timeout', 'm'),
      of(504, 'Timeout', 'm', { causes: [{ reason: 'ResourceVersionTooLarge' }] }),
      of(302, '', 'm'),
    ].map(({ code }) => code),
    [
      'bad-request',
      'unauthorized',
      'forbidden',
      'not-found',
      'bad-request',
      'already-exists',
      'conflict',
      'expired',
      'expired',
      'too-large',
      'bad-request',
      'invalid',
      'too-many-requests',
      'server-error',
      'server-error',
      'server-error',
      'expired',
      'redirected',
    ],
  );
  t.equal(errorOfAnswer('404 page not found\n', { ...call, status: 404 }).text, '404 page not found');
  t.equal(errorOfAnswer('', { ...call, status: 403 }).text, 'status 403 without a text');
  t.equal(errorOfAnswer('null', { ...call, status: 500 }).text, 'no reason was given');
  t.equal(errorOfAnswer('{}', { ...call, status: 429, retryAfter: '7' }).retryAfterSeconds, 7);
  t.equal(
    errorOfAnswer('{}', { ...call, status: 429, retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' }).retryAfterSeconds,
    undefined,
  );
  t.equal(of(504, 'Timeout', 'm', { retryAfterSeconds: 1 }).retryAfterSeconds, 1);
  t.equal(
    errorOfStatus({ code: 410, reason: 'Expired', message: 'too old' }, call).code,
    'expired',
    'a line of a watch',
  );
  t.equal(errorOfStatus(undefined, call).code, 'server-error');
});

t.test('errors do not repeat what we have sent', async (t) => {
  const call = { method: 'POST', path: '/x', status: 422, authorization: 'Bearer tok.en-1' };
  const status = {
    kind: 'Status',
    reason: 'Invalid tok.en-1',
    message: 'authorization: Bearer tok.en-1; again tok.en-1',
    details: { kind: 'tok.en-1', causes: [{ reason: 'tok.en-1', message: 'tok.en-1', field: 'tok.en-1' }] },
  };
  const masked = {
    reason: 'Invalid ***',
    text: 'authorization: Bearer ***; again ***',
    about: '***',
    causes: [{ reason: '***', message: '***', field: '***' }],
  };
  t.match(errorOfStatus(status, call), masked, 'however it was encoded');
  t.match(errorOfAnswer(JSON.stringify(status), call), masked);
  const said = (body: string): string => errorOfAnswer(body, call).text;
  t.equal(said('<p>Bearer tok.en-1\r\nauthorization: ...'), '<p>Bearer ***', 'of what is no Status the first line');
  t.equal(said('\n one\rtwo'), 'one');
  t.equal(said(`${'x'.repeat(195)}tok.en-1 and more`), `${'x'.repeat(195)}*** a...`, 'and of that the beginning');
  t.equal(said('{"authorization":"Bearer tok.en-1"}'), 'no reason was given');
  t.equal(said('{"message":"busy\\nauthorization: Bearer tok.en-1"}'), 'busy');
  const job = 'Job.batch "x" is invalid: spec.template.spec.containers[0].';
  t.equal(
    errorOfStatus({ message: `${job}env[12].value: Invalid value: "a\\"b, c": too odd` }, call).text,
    `${job}env[12].value: Invalid value: ***: too odd`,
  );
  t.equal(
    errorOfStatus({ message: `${job}image: Invalid value: " x": must not have blanks` }, call).text,
    `${job}image: Invalid value: " x": must not have blanks`,
    'other fields are quoted: that is what helps',
  );
  const env = `${job}env[0].value:`;
  const whole = 'spec.template: Invalid value:';
  for (const [message = '', shown = ''] of [
    [`${env} Unsupported value: "PW": supported values: "a"`, `${env} Unsupported value: ***: supported values: "a"`],
    [`${env} Duplicate value: PW, and more`, `${env} Duplicate value: ***, and more`],
    [`${env} Too long: \`PW\``, `${env} Too long: ***`],
    [
      `${whole} core.PodTemplateSpec{Env:[]core.EnvVar{{Value:"PW"}}}: field is immutable`,
      `${whole} ***: field is immutable`,
    ],
    [`${whole} {"spec":{"env":[{"value":"PW"}]}}: field is immutable`, `${whole} ***: field is immutable`],
    [`${whole} "{\\"value\\":\\"PW\\"}": field is immutable`, `${whole} ***: field is immutable`],
    [
      'bad, error found in #10 byte of ...|"value":"PW"|..., bigger context ...|{"value":"PW"}|...',
      'bad, error found in #10 byte of ***',
    ],
    [`${env} Invalid value: "my secret PW": too bad`, `${env} Invalid value: ***: too bad`],
    [`${env} Invalid value: "a,b PW": too bad`, `${env} Invalid value: ***: too bad`],
    [`${env} Invalid value: "PW"`, `${env} Invalid value: ***`],
    [`${env} Invalid value: "my secret PW`, `${env} Invalid value: ***`],
    [`${whole} {"spec":{"env":[{"value":"PW`, `${whole} ***`],
  ]) {
    t.equal(errorOfStatus({ message }, call).text, shown);
    const answer = { kind: 'Status', reason: 'Invalid', message, details: { causes: [{ message, reason: 'x' }] } };
    t.match(errorOfAnswer(JSON.stringify(answer), call), {
      text: shown,
      reason: 'Invalid',
      causes: [{ message: shown }],
    });
    t.equal(errorOfAnswer(JSON.stringify({ message }), call).text, shown.slice(0, 200), 'of a proxy');
  }
  const begun = process.cpuUsage();
  for (const part of [' value: {', '...|', ' value: "{', 'env[0].value: Invalid value: "'])
    errorOfStatus({ message: part.repeat(65_536 / part.length) }, call);
  const { user } = process.cpuUsage(begun);
  t.ok(user < 1_000_000, 'a hostile text takes no longer than another');
});

t.test('predicates', async (t) => {
  const make = (code: KubernetesError['code'], text = ''): KubernetesError =>
    new KubernetesError({ code, method: 'GET', path: '/', text });
  const table = [
    [isNotFound, ['not-found']],
    [isAlreadyExists, ['already-exists']],
    [isConflict, ['conflict']],
    [isExpired, ['expired']],
    [isForbidden, ['forbidden']],
    [isUnauthorized, ['unauthorized']],
    [isInvalid, ['bad-request', 'too-large', 'invalid']],
    [isTimeout, ['timeout']],
    [isUnreachable, ['unreachable', 'tls', 'interrupted']],
    [isTransient, ['too-many-requests', 'server-error', 'timeout', 'unreachable', 'interrupted']],
  ] as const;
  const codes = [
    'bad-request',
    'unauthorized',
    'forbidden',
    'not-found',
    'already-exists',
    'conflict',
    'expired',
    'too-large',
    'invalid',
    'too-many-requests',
    'redirected',
    'server-error',
    'bad-answer',
    'timeout',
    'unreachable',
    'tls',
    'interrupted',
    'credentials',
  ] as const;
  for (const [is, expected] of table)
    t.strictSame(
      codes.filter((code) => is(make(code))),
      [...expected],
    );
  t.equal(isNotFound(new Error('not-found')), false);
  t.equal(
    isMissingRight(
      make('forbidden', 'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods"'),
    ),
    true,
  );
  t.equal(isMissingRight(make('forbidden', 'jobs.batch "x" is forbidden: exceeded quota: q')), false);
});

t.test('connections that fail', async (t) => {
  const call = { method: 'GET', path: '/version', origin: 'https://k8s:6443', answered: false };
  const of = (code: string): string => errorOfConnection(Object.assign(new Error('words'), { code }), call).code;
  t.equal(of('ECONNREFUSED'), 'unreachable');
  t.equal(of('ENOTFOUND'), 'unreachable');
  t.equal(of('UND_ERR_CONNECT_TIMEOUT'), 'unreachable');
  t.equal(of('UND_ERR_HEADERS_TIMEOUT'), 'timeout');
  for (const code of [
    'CERT_HAS_EXPIRED',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'EPROTO',
  ]) {
    t.equal(of(code), 'tls', code);
  }
  const both = new AggregateError([Object.assign(new Error('a'), { code: 'ECONNREFUSED' })], '');
  const error = errorOfConnection(both, call);
  t.equal(error.reason, 'ECONNREFUSED');
  t.equal(error.message, 'The Kubernetes API server cannot be reached: https://k8s:6443: ECONNREFUSED [GET /version]');
  t.equal(error.cause, both);
  t.equal(errorOfConnection(new Error('other side closed'), { ...call, answered: true }).code, 'interrupted');
  t.equal(errorOfConnection(error, call), error);
});

t.test('pauses double, have jitter, honour Retry-After, and begin anew after quiet', async (t) => {
  const clock = new HandClock();
  const pauses = (random: number): Backoff =>
    new Backoff(clock, () => random, { first: 800, longest: 30_000, resetAfter: 120_000 });
  const middle = pauses(0.5);
  t.strictSame(
    Array.from({ length: 8 }, () => middle.next()),
    [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000],
  );
  t.strictSame([pauses(0).next(), pauses(0.999).next()], [400, 1199.2]);
  const busy = new KubernetesError({
    code: 'too-many-requests',
    method: 'GET',
    path: '/',
    text: '',
    retryAfterSeconds: 5,
  });
  t.equal(pauses(0.5).next(busy), 5_000);
  clock.pass(150_000);
  t.equal(middle.next(), 30_000, 'the pause itself is not quiet time');
  clock.pass(150_001);
  t.equal(middle.next(), 800);
  middle.next();
  middle.reset();
  t.equal(middle.next(), 800);
});

t.test('a deadline leaves no timer and no listener', async (t) => {
  const clock = new HandClock();
  const parent = new AbortController();
  const deadline = new Deadline(clock, parent.signal);
  deadline.set(100, () => new Error('first'));
  deadline.set(200, () => new Error('second'));
  t.equal(clock.pending, 1);
  clock.pass(150);
  t.equal(deadline.signal.aborted, false);
  clock.pass(50);
  t.match(deadline.signal.reason, { message: 'second' });
  deadline.end();

  const followed = new Deadline(clock, parent.signal);
  const ended = new Deadline(clock, parent.signal);
  ended.set(100, () => new Error('late'));
  ended.end();
  t.equal(clock.pending, 0);
  parent.abort(new Error('parent'));
  t.match(followed.signal.reason, { message: 'parent' });
  t.equal(ended.signal.aborted, false);
  t.match(new Deadline(clock, parent.signal).signal.reason, { message: 'parent' });
});

t.test('lines of a watch', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary' }).map((s) => s.replaceAll('\n', ''))),
      fc.array(fc.integer({ min: 1, max: 9 })),
      (lines, sizes) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const splitter = new LineSplitter();
        const got: string[] = [];
        let start = 0;
        for (let i = 0; start < bytes.length; i++) {
          const end = start + (sizes[i % Math.max(1, sizes.length)] ?? bytes.length);
          for (const line of splitter.push(bytes.subarray(start, end))) got.push(Buffer.from(line).toString());
          start = end;
        }
        return (
          JSON.stringify(got) ===
          JSON.stringify(lines.filter((line) => line !== '').map((line) => Buffer.from(line).toString()))
        );
      },
    ),
  );
  const splitter = new LineSplitter();
  const block = Buffer.alloc(MAX_WATCH_LINE / 2 + 1);
  t.strictSame([...splitter.push(block)], []);
  t.throws(() => [...splitter.push(block)], { name: 'RangeError' });
});

t.test('versions are numbers of any size', async (t) => {
  t.equal(isNewer('10', '9'), true);
  t.equal(isNewer('9', '10'), false);
  t.equal(isNewer('9', '9'), false);
  t.equal(isNewer('18446744073709551615', '18446744073709551614'), true);
});

t.test('warnings', async (t) => {
  t.strictSame(warningTexts('299 - "unknown field \\"spec.bogus\\""'), ['unknown field "spec.bogus"']);
  t.strictSame(warningTexts('299 - "a, b", 299 kube "c"'), ['a, b', 'c']);
  t.strictSame(warningTexts('nonsense'), []);
});

t.test('the errors of a real server (fixtures)', async (t) => {
  const lines = readFileSync(new URL('../../fixtures/kubernetes/errors.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  for (const line of lines) {
    const { status, body, retryAfter, code, text, missingRight } = JSON.parse(line);
    const call = { method: 'GET', path: '/', authorization: undefined };
    const error = errorOfAnswer(body, { ...call, status, ...(retryAfter ? { retryAfter } : {}) });
    t.equal(error.code, code, `${status} ${body.slice(0, 60)}`);
    t.equal(error.text, text);
    t.equal(isMissingRight(error), missingRight);
    t.equal(error.retryAfterSeconds, retryAfter === undefined ? undefined : Number(retryAfter));
  }
});
