/**
 * Each call carries the token of its time and no other, nobody is told what it was, and it goes to nobody but a server
 * with a certificate that is trusted.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { apiServer, clientOf, failure, JOB, recordingLog, scripted, status } from '../server.ts';

t.test('a token file is read again when it changes, and after a 401', async (t) => {
  const directory = t.testdir({});
  const path = `${directory}/token`;
  let accepted = 'first';
  let requests = 0;
  const server = await apiServer(t, ({ request, answer }) => {
    requests++;
    if (request.headers.authorization === `Bearer ${accepted}`) answer(200, JOB);
    else answer(401, { kind: 'Status', status: 'Failure', message: 'Unauthorized', reason: 'Unauthorized', code: 401 });
  });
  const log = recordingLog();
  const client = clientOf(t, server.url, { credentials: { kind: 'token-file', path } }, log);
  const missing = await failure(client.get(JOBS, 'job-1'));
  t.equal(missing.code, 'credentials');
  t.match(missing.message, `Cannot read the token for Kubernetes: ENOENT`);
  writeFileSync(path, 'first\n');
  await client.get(JOBS, 'job-1');
  t.equal(requests, 1);

  accepted = 'second-token';
  writeFileSync(`${path}.new`, 'second-token');
  renameSync(`${path}.new`, path);
  await client.get(JOBS, 'job-1');
  t.equal(requests, 2, 'known before it is asked');

  accepted = 'third-token-';
  const again = await failure(client.get(JOBS, 'job-1'));
  t.equal(again.code, 'unauthorized');
  t.equal(requests, 3, 'the same token is not tried twice');
  t.notMatch(again.message, /second-token/);

  writeFileSync(path, 'third-token-');
  rmSync(path);
  accepted = 'second-token';
  await client.get(JOBS, 'job-1');
  await client.get(JOBS, 'job-1');
  t.equal(log.lines.filter(({ level }) => level === 'WARNING').length, 1, 'while it is gone, the last one is used');

  writeFileSync(path, 'with\u0007control');
  const fresh = clientOf(t, server.url, { credentials: { kind: 'token-file', path } });
  const bad = await failure(fresh.get(JOBS, 'job-1'));
  t.equal(bad.code, 'credentials');
  t.notMatch(String(bad.message) + String(bad.cause), 'with');
  t.throws(() => clientOf(t, server.url, { credentials: { kind: 'token', token: 'a b' } }), {
    message: /contains spaces/,
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
