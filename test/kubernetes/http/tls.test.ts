/** TLS: which servers the client trusts, by authority, name and address, and how a refusal reads. */
import { mkdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { systemRoots, tlsSettings } from '../../../src/kubernetes/http/tls.ts';
import { createIdentity } from '../../cluster/authority.ts';
import { createCertificate } from '../../support/certificate.ts';
import { apiServer, clientOf, failure, JOB, type Step } from '../server.ts';

const serve: Step = ({ answer }) => answer(200, JOB);

/** Reads a Job from this server with TLS options. */
async function read(t: Test, url: string, tls: { readonly ca?: string; readonly verify: boolean }): Promise<unknown> {
  const { object } = await clientOf(t, url, { tls }).get(JOBS, 'job-1');
  return object;
}

for (const host of ['127.0.0.1', '::1']) {
  t.test(`a server at ${host} is trusted by its authority`, async (t) => {
    const identity = createIdentity(['localhost', '127.0.0.1', '::1']);
    const server = await apiServer(t, serve, { identity, host });
    t.strictSame(await read(t, server.url, { ca: identity.ca, verify: true }), JOB);
  });
}

t.test('a server is trusted by the name in its certificate', async (t) => {
  const identity = createIdentity(['localhost']);
  const server = await apiServer(t, serve, { identity });
  t.strictSame(await read(t, `https://localhost:${server.port}`, { ca: identity.ca, verify: true }), JOB);
});

t.test('an unknown authority is refused, without the advice of Node.js for its command line', async (t) => {
  const identity = createIdentity(['127.0.0.1']);
  const server = await apiServer(t, serve, { identity });
  const error = await failure(read(t, server.url, { verify: true }));
  t.equal(error.code, 'tls');
  t.equal(
    error.message,
    `The TLS connection to the Kubernetes API server failed: ${server.url}: unable to get local issuer certificate [GET /apis/batch/v1/namespaces/rstudio/jobs/job-1]`,
  );
  t.match((error.cause as Error).message, /^unable to get local issuer certificate$/);
});

t.test('another authority is refused', async (t) => {
  const identity = createIdentity(['127.0.0.1']);
  const { ca } = createIdentity(['127.0.0.1']);
  const server = await apiServer(t, serve, { identity });
  t.equal((await failure(read(t, server.url, { ca, verify: true }))).code, 'tls');
});

t.test('a certificate for another name is refused', async (t) => {
  const identity = createIdentity(['somewhere.else']);
  const server = await apiServer(t, serve, { identity });
  const error = await failure(read(t, server.url, { ca: identity.ca, verify: true }));
  t.equal(error.code, 'tls');
  t.equal(error.reason, 'ERR_TLS_CERT_ALTNAME_INVALID');
});

t.test('without verification any certificate is accepted', async (t) => {
  const identity = createIdentity(['somewhere.else']);
  const server = await apiServer(t, serve, { identity });
  t.strictSame(await read(t, server.url, { verify: false }), JOB);
});

t.test('a server without TLS is an error of TLS', async (t) => {
  const server = await apiServer(t, serve);
  const error = await failure(read(t, server.url.replace('http', 'https'), { verify: true }));
  t.equal(error.code, 'tls');
});

/** A root, an intermediate authority below it, and a server that sends only its own certificate. */
function chain() {
  const dates = { notBefore: new Date(Date.now() - 86_400_000), notAfter: new Date(Date.now() + 86_400_000) };
  const root = createCertificate({ ...dates, name: 'root', isAuthority: true });
  const middle = createCertificate({ ...dates, name: 'intermediate', issuer: root, isAuthority: true });
  const server = createCertificate({ ...dates, name: 'kube-apiserver', issuer: middle, names: ['127.0.0.1'] });
  return { root: root.pem, middle: middle.pem, cert: server.pem, key: server.key };
}

t.test('an intermediate authority is a trust anchor', async (t) => {
  const { middle, cert, key } = chain();
  const server = await apiServer(t, serve, { identity: { ca: middle, cert, key } });
  t.strictSame(await read(t, server.url, { ca: middle, verify: true }), JOB);
});

t.test("the server's own certificate is a trust anchor", async (t) => {
  const { cert, key } = chain();
  const server = await apiServer(t, serve, { identity: { ca: cert, cert, key } });
  t.strictSame(await read(t, server.url, { ca: cert, verify: true }), JOB);
});

t.test('a root does not replace a missing intermediate authority', async (t) => {
  const { root, cert, key } = chain();
  const server = await apiServer(t, serve, { identity: { ca: root, cert, key } });
  t.equal((await failure(read(t, server.url, { ca: root, verify: true }))).code, 'tls');
});

const MALFORMED = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

t.test('a malformed certificate in a bundle is named', async (t) => {
  const { ca } = createIdentity(['x']);
  t.throws(() => tlsSettings({ ca: `${MALFORMED}${ca}`, verify: true }), {
    message: 'certificate-authority: certificate 1 of 2 is malformed',
  });
  t.throws(() => tlsSettings({ ca: `${ca}\n${MALFORMED}`, verify: true }), {
    message: 'certificate-authority: certificate 2 of 2 is malformed',
  });
});

t.test('a bundle without certificates is refused', async (t) => {
  t.throws(() => tlsSettings({ ca: 'no certificate', verify: true }), {
    message: 'certificate-authority: it contains no PEM certificate',
  });
});

t.test('the certificates of the host are those of the first bundle with a certificate', async (t) => {
  const { ca } = createIdentity(['x']);
  const directory = t.testdir({ 'empty.pem': '\n', 'second.pem': ca, 'third.pem': 'not read' });
  mkdirSync(`${directory}/dir`);
  const paths = ['missing.pem', 'empty.pem', 'second.pem', 'third.pem'].map((name) => `${directory}/${name}`);
  t.equal(systemRoots(paths), ca);
  t.throws(() => systemRoots([`${directory}/dir`, ...paths]), { code: 'EISDIR' }, 'a bundle that cannot be read');
});

t.test('a host without a bundle has the certificates of Node.js', async (t) => {
  t.match(systemRoots([`${t.testdirName}/missing.pem`]), /^-----BEGIN CERTIFICATE-----/);
});
