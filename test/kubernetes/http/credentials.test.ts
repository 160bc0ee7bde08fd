/**
 * Each call carries the token of its time and no other, nobody is told what it was, and it goes to nobody but a server
 * with a certificate that is trusted.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { systemRoots, tlsSettings } from '../../../src/kubernetes/http/tls.ts';
import { createIdentity } from '../../cluster/authority.ts';
import { apiServer, clientOf, failure, JOB, recordingLog, type Step, scripted, status } from '../server.ts';

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

t.test('TLS: authority, names, addresses, the verify toggle', async (t) => {
  const identity = await createIdentity(['localhost', '127.0.0.1', '::1']);
  const named = await createIdentity(['somewhere.else']);
  const serve: Step = ({ answer }) => answer(200, JOB);
  const v4 = await apiServer(t, serve, { identity });
  const v6 = await apiServer(t, serve, { identity, host: '::1' });
  const elsewhere = await apiServer(t, serve, { identity: named });
  const trusting = { tls: { ca: identity.ca, verify: true } };
  for (const url of [v4.url, v6.url, `https://localhost:${v4.port}`]) {
    t.strictSame((await clientOf(t, url, trusting).get(JOBS, 'job-1')).object, JOB, url);
  }
  const unknown = await failure(clientOf(t, v4.url).get(JOBS, 'job-1'));
  t.equal(unknown.code, 'tls', 'the system does not know this authority');
  t.match(
    unknown.message,
    'unable to verify the first certificate [GET ',
    'without advice on the command line of Node',
  );
  t.match((unknown.cause as Error).message, /^unable to verify the first certificate$/);
  t.match(unknown.message, /The TLS connection to the Kubernetes API server failed: https:\/\/127\.0\.0\.1/);
  const other = await failure(clientOf(t, elsewhere.url, { tls: { ca: named.ca, verify: true } }).get(JOBS, 'job-1'));
  t.equal(other.code, 'tls', 'its certificate is for another name');
  t.equal(other.reason, 'ERR_TLS_CERT_ALTNAME_INVALID');
  t.equal((await failure(clientOf(t, v4.url, { tls: { ca: named.ca, verify: true } }).get(JOBS, 'job-1'))).code, 'tls');
  t.strictSame((await clientOf(t, elsewhere.url, { tls: { verify: false } }).get(JOBS, 'job-1')).object, JOB);
  const plain = await apiServer(t, serve);
  t.equal(
    (await failure(clientOf(t, plain.url.replace('http', 'https')).get(JOBS, 'job-1'))).code,
    'tls',
    'no TLS there',
  );
});

t.test('the certificates that a host trusts', async (t) => {
  const { ca } = await createIdentity(['x']);
  const directory = t.testdir({ 'empty.pem': '\n', 'second.pem': ca, 'third.pem': 'not read' });
  mkdirSync(`${directory}/dir`);
  const paths = ['missing.pem', 'empty.pem', 'second.pem', 'third.pem'].map((name) => `${directory}/${name}`);
  t.equal(systemRoots(paths), ca);
  t.match(
    systemRoots([`${directory}/missing.pem`]),
    /^-----BEGIN CERTIFICATE-----/,
    'those of the runtime, if the host has none',
  );
  t.throws(() => tlsSettings({ ca: 'this is no certificate', verify: true }), { message: /no PEM certificate/ });
});
