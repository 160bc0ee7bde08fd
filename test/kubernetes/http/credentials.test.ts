/** Every call carries the token that is valid now, and the token is in no log and no error. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { apiServer, clientOf, failure, JOB, recordingLog, scripted, status } from '../server.ts';

/** A server that accepts one token, which a test changes, and a client that reads its token from a file. */
async function withTokenFile(t: Test, content?: string) {
  const path = `${t.testdir(content === undefined ? {} : { token: content })}/token`;
  const state = { accepted: 'first', requests: 0 };
  const server = await apiServer(t, ({ request, answer }) => {
    state.requests++;
    if (request.headers.authorization === `Bearer ${state.accepted}`) answer(200, JOB);
    else answer(401, status(401, 'Unauthorized', 'Unauthorized'));
  });
  const log = recordingLog();
  const client = clientOf(t, server.url, { credentials: { kind: 'token-file', path } }, log);
  return { client, log, path, state };
}

t.test('a token file that does not exist is an error, and is read as soon as it exists', async (t) => {
  const { client, path, state } = await withTokenFile(t);
  const missing = await failure(client.get(JOBS, 'job-1'));
  t.equal(missing.code, 'credentials');
  t.match(missing.message, 'Cannot read the token for Kubernetes: ENOENT');
  writeFileSync(path, 'first\n');
  await client.get(JOBS, 'job-1');
  t.equal(state.requests, 1);
});

t.test('a token file that was replaced is read before the next request', async (t) => {
  const { client, path, state } = await withTokenFile(t, 'first');
  await client.get(JOBS, 'job-1');
  state.accepted = 'second-token';
  writeFileSync(`${path}.new`, 'second-token');
  renameSync(`${path}.new`, path);
  await client.get(JOBS, 'job-1');
  t.equal(state.requests, 2);
});

t.test('a rejected token is not sent twice, and is not in the error', async (t) => {
  const { client, state } = await withTokenFile(t, 'old-token');
  const error = await failure(client.get(JOBS, 'job-1'));
  t.equal(error.code, 'unauthorized');
  t.equal(state.requests, 1);
  t.notMatch(error.message, /old-token/);
});

t.test('while the token file is missing the last token is used, with one warning', async (t) => {
  const { client, log, path } = await withTokenFile(t, 'first');
  await client.get(JOBS, 'job-1');
  rmSync(path);
  await client.get(JOBS, 'job-1');
  await client.get(JOBS, 'job-1');
  t.strictSame(
    log.lines.filter(({ level }) => level === 'WARNING').map(({ sentence }) => sentence),
    ['Cannot read the token file; using the last token'],
  );
});

t.test('a token file with a control character is refused without quoting it', async (t) => {
  const { client } = await withTokenFile(t, 'xyzzy\u0007secret');
  const error = await failure(client.get(JOBS, 'job-1'));
  t.equal(error.code, 'credentials');
  t.notMatch(String(error.message) + String(error.cause), 'xyzzy');
});

t.test('a token with a space is refused when the client is created', async (t) => {
  t.throws(() => clientOf(t, 'http://127.0.0.1:1', { credentials: { kind: 'token', token: 'a b' } }), {
    message: 'the token of the option auth-token contains spaces, control characters or non-ASCII characters',
  });
});

t.test('a token that is replaced between two looks: the 401 leads to the new one', async (t) => {
  const directory = t.testdir({ token: 'old' });
  const path = `${directory}/token`;
  const seen: string[] = [];
  const server = await apiServer(t, ({ request, answer }) => {
    seen.push(String(request.headers.authorization));
    writeFileSync(path, 'new-one');
    if (seen.length === 1) answer(401, status(401, 'Unauthorized', 'Unauthorized'));
    else answer(200, JOB);
  });
  await clientOf(t, server.url, { credentials: { kind: 'token-file', path } }).get(JOBS, 'job-1');
  t.strictSame(seen, ['Bearer old', 'Bearer new-one']);
});

t.test('without a token there is no Authorization header', async (t) => {
  const server = await apiServer(t, ({ request, answer }) => answer(200, { headers: Object.keys(request.headers) }));
  const { object } = await clientOf(t, server.url, { credentials: { kind: 'none' } }).get(JOBS, 'job-1');
  t.notOk(JSON.stringify(object).includes('authorization'));
});

t.test('a server that echoes the request: neither token nor bodies are in the error', async (t) => {
  const { client } = await scripted(t, [
    ({ request, response }) => response.writeHead(400).end(`authorization: ${request.headers.authorization}`),
    ({ request, answer }) => answer(403, status(403, 'Forbidden', `no rights: ${request.headers.authorization}`)),
    ({ request, answer }) => answer(200, JOB, { warning: `299 - "${request.headers.authorization} expires soon"` }),
    ({ body, response }) => response.writeHead(400).end(`cannot read: ${body}`),
    ({ response }) => response.writeHead(200, { 'content-type': 'text/html' }).end('hunter2'),
  ]);
  t.equal((await failure(client.get(JOBS, 'job-1'))).text, 'authorization: Bearer ***');
  t.equal((await failure(client.get(JOBS, 'job-1'))).text, 'no rights: Bearer ***');
  t.strictSame((await client.get(JOBS, 'job-1')).warnings, ['Bearer *** expires soon']);
  t.equal((await failure(client.create(JOBS, JOB))).text, 'cannot read:');
  const page = await failure(client.get(JOBS, 'job-1'));
  t.strictSame([page.text, page.cause], ['7 characters that are not JSON', undefined]);
});
