/** A failed answer or connection is one error: its code says what to do, and its text repeats no secret. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  errorOfAnswer,
  errorOfConnection,
  errorOfStatus,
  isAlreadyExists,
  isConflict,
  isExpired,
  isForbidden,
  isInvalid,
  isMissingPermission,
  isNotFound,
  isTimeout,
  isTransient,
  isUnauthorized,
  isUnreachable,
  KubernetesError,
} from '../../src/kubernetes/kubernetes-error.ts';

const GET = { method: 'GET', path: '/api/v1/x', authorization: undefined };

/** The error of an answer with this Status. */
const of = (code: number, reason: string, message: string, details?: unknown): KubernetesError =>
  errorOfAnswer(JSON.stringify({ kind: 'Status', status: 'Failure', message, reason, details, code }), {
    ...GET,
    status: code,
  });

t.test('a Status becomes an error with its reason, causes and text', async (t) => {
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
      message: 'Kubernetes rejected the object as invalid: Job.batch "x" is invalid [GET /api/v1/x: 422 Invalid]',
      causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.template' }],
      retryAfterSeconds: undefined,
      about: 'Job',
      followsLostAnswer: false,
    },
  );
});

t.test('the status and reason of an answer give the code of its error', async (t) => {
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
});

t.test('an answer without a Status has its first line as text, or none', async (t) => {
  t.equal(errorOfAnswer('404 page not found\n', { ...GET, status: 404 }).text, '404 page not found');
  t.equal(errorOfAnswer('', { ...GET, status: 403 }).text, 'status 403 without a message');
  t.equal(errorOfAnswer('null', { ...GET, status: 500 }).text, 'the server gave no reason');
});

t.test('the time to wait comes from the header in seconds, or from the Status', async (t) => {
  t.equal(errorOfAnswer('{}', { ...GET, status: 429, retryAfter: '7' }).retryAfterSeconds, 7);
  t.equal(
    errorOfAnswer('{}', { ...GET, status: 429, retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' }).retryAfterSeconds,
    undefined,
  );
  t.equal(of(504, 'Timeout', 'm', { retryAfterSeconds: 1 }).retryAfterSeconds, 1);
});

t.test('a line of a watch becomes an error, also one without content', async (t) => {
  t.equal(errorOfStatus({ code: 410, reason: 'Expired', message: 'too old' }, GET).code, 'expired');
  t.equal(errorOfStatus(undefined, GET).code, 'server-error');
});

const call = { method: 'POST', path: '/x', status: 422, authorization: 'Bearer tok.en-1' };

t.test('an error does not repeat the token, however the Status is encoded', async (t) => {
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
  t.match(errorOfStatus(status, call), masked);
  t.match(errorOfAnswer(JSON.stringify(status), call), masked);
});

t.test('of an answer that is no Status the beginning of the first line is the text, without the token', async (t) => {
  const said = (body: string): string => errorOfAnswer(body, call).text;
  t.equal(said('<p>Bearer tok.en-1\r\nauthorization: ...'), '<p>Bearer ***');
  t.equal(said('\n one\rtwo'), 'one');
  t.equal(said(`${'x'.repeat(195)}tok.en-1 and more`), `${'x'.repeat(195)}*** a...`);
  t.equal(said('{"authorization":"Bearer tok.en-1"}'), 'the server gave no reason');
  t.equal(said('{"message":"busy\\nauthorization: Bearer tok.en-1"}'), 'busy');
});

const job = 'Job.batch "x" is invalid: spec.template.spec.containers[0].';

t.test('an error does not repeat the value of a variable', async (t) => {
  t.equal(
    errorOfStatus({ message: `${job}env[12].value: Invalid value: "a\\"b, c": too odd` }, call).text,
    `${job}env[12].value: Invalid value: ***: too odd`,
  );
});

t.test('an error repeats the values of other fields, which help', async (t) => {
  t.equal(
    errorOfStatus({ message: `${job}image: Invalid value: " x": must not have blanks` }, call).text,
    `${job}image: Invalid value: " x": must not have blanks`,
  );
});

t.test('an error hides values of variables and pod templates in each form in which a server quotes them', async (t) => {
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
});

t.test('a hostile text takes no longer than another', async (t) => {
  const begun = process.cpuUsage();
  for (const part of [' value: {', '...|', ' value: "{', 'env[0].value: Invalid value: "'])
    errorOfStatus({ message: part.repeat(65_536 / part.length) }, call);
  const { user } = process.cpuUsage(begun);
  t.ok(user < 1_000_000, `${user} us`);
});

const make = (code: KubernetesError['code'], text = ''): KubernetesError =>
  new KubernetesError({ code, method: 'GET', path: '/', text });

t.test('each predicate holds for its codes', async (t) => {
  const table = [
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
});

t.test('only the 404 of an API server for an object with a name means that it does not exist', async (t) => {
  const answer = (body: string): boolean =>
    isNotFound(errorOfAnswer(body, { method: 'GET', path: '/', status: 404, authorization: undefined }));
  const status = { kind: 'Status', reason: 'NotFound', message: 'pods "p" not found', details: { kind: 'pods' } };
  t.equal(answer(JSON.stringify(status)), true);
  t.equal(answer(JSON.stringify({ ...status, details: {} })), false, 'of nothing that has a name');
  for (const words of ['default backend - 404', '404 page not found', '', '<html>', '{"kind":"Error","code":404}'])
    t.equal(answer(words), false, `a proxy: ${words}`);
  t.equal(isNotFound(new Error('not-found')), false);
});

t.test('a full quota is no missing permission', async (t) => {
  t.equal(
    isMissingPermission(
      make('forbidden', 'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods"'),
    ),
    true,
  );
  t.equal(isMissingPermission(make('forbidden', 'jobs.batch "x" is forbidden: exceeded quota: q')), false);
});

const CONNECTING = { method: 'GET', path: '/version', origin: 'https://k8s:6443', answered: false };

t.test('the code of a failed connection gives the code of its error', async (t) => {
  const codeOf = (code: string): string =>
    errorOfConnection(Object.assign(new Error('words'), { code }), CONNECTING).code;
  t.equal(codeOf('ECONNREFUSED'), 'unreachable');
  t.equal(codeOf('ENOTFOUND'), 'unreachable');
  t.equal(codeOf('connect-timeout'), 'unreachable');
  t.equal(codeOf('headers-timeout'), 'timeout');
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
    t.equal(codeOf(code), 'tls', code);
  }
});

t.test('the error of several attempts has the reason of the first one', async (t) => {
  const both = new AggregateError([Object.assign(new Error('a'), { code: 'ECONNREFUSED' })], '');
  const error = errorOfConnection(both, CONNECTING);
  t.equal(error.reason, 'ECONNREFUSED');
  t.equal(error.message, 'Cannot connect to the Kubernetes API server: https://k8s:6443: ECONNREFUSED [GET /version]');
  t.equal(error.cause, both);
  t.equal(errorOfConnection(error, CONNECTING), error, 'it is not wrapped again');
});

t.test('a connection that breaks in an answer is interrupted', async (t) => {
  t.equal(errorOfConnection(new Error('other side closed'), { ...CONNECTING, answered: true }).code, 'interrupted');
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
    t.equal(isMissingPermission(error), missingRight);
    t.equal(error.retryAfterSeconds, retryAfter === undefined ? undefined : Number(retryAfter));
  }
});
