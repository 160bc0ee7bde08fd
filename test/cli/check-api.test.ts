/** `check` reports whether the API server is trusted, supported and accepts the token; the token is never printed. */
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import t, { type Test } from 'tap';
import { fakeClock } from '../support/fake-clock.ts';
import { day, type Identity, issue } from './certificates.ts';
import { base64, fails, linesOf, listen, run, type Situation } from './harness.ts';

/** No deadline passes, so that a busy host does not change the result. */
const situation = (options: Readonly<Record<string, string>>): Situation => ({
  options,
  context: { clock: fakeClock(Date.now()) },
});

function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmVk`;
}

/** An https server with this identity, and options that reach it. */
async function secured(
  t: Test,
  identity: Identity,
  answer: RequestListener = (_request, response) => response.writeHead(404).end(),
): Promise<Readonly<Record<string, string>>> {
  const port = await listen(t, createServer({ cert: identity.cert, key: identity.key }, answer));
  return { 'api-url': `https://127.0.0.1:${port}`, 'auth-token': 'a-token' };
}

const good = issue();

t.test('a certificate of an unknown issuer that sends its authority', async (t) => {
  const served = await secured(t, { ...good, cert: `${good.cert}\n${good.ca}` });
  const outcome = await run(t, ['check'], situation(served));
  const at = outcome.lines.findIndex((line) => line.startsWith('failed   tls'));
  t.match(outcome.lines.slice(at, at + 5), [
    "failed   tls             DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT sends a certificate issued by CN=an authority, which this host does not trust (SELF_SIGNED_CERT_IN_CHAIN) -> compare the fingerprint with your cluster's CA; if it is the same, put this line into the options file",
    `                         0: CN=kube-apiserver, issued by CN=an authority, until ${day(100)}`,
    `                         1: CN=an authority, issued by CN=an authority, until ${day(1000)}`,
    /^ {25}SHA-256 of CN=an authority: ([0-9A-F]{2}:){31}[0-9A-F]{2}$/,
    /^ {25}certificate-authority=LS0tLS1CRUdJTi/,
  ]);
  const [, pasted = ''] = /certificate-authority=(\S+)/.exec(outcome.out) ?? [];
  const fixed = await run(t, ['check'], situation({ ...served, 'certificate-authority': pasted }));
  t.strictSame(linesOf(fixed, 'tls'), [`ok tls CN=kube-apiserver, issued by CN=an authority, valid until ${day(100)}`]);
});

t.test('a certificate of an unknown issuer that is not sent', async (t) => {
  await fails(
    t,
    situation(await secured(t, good)),
    'tls',
    "failed tls DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT sends a certificate issued by CN=an authority, which this host does not trust (UNABLE_TO_GET_ISSUER_CERT_LOCALLY) -> set certificate-authority to the cluster's CA, which the server does not send: kubectl -n rstudio get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' | base64 -w0",
  );
});

t.test('a certificate of another authority than certificate-authority', async (t) => {
  const other = issue({ authority: 'the old cluster' });
  await fails(
    t,
    situation({ ...(await secured(t, good)), 'certificate-authority': base64(other.ca) }),
    'tls',
    "failed tls DIR/launcher.kubernetes.conf:4: certificate-authority: it contains CN=the old cluster, but the certificate of 127.0.0.1:PORT was issued by CN=an authority (UNABLE_TO_GET_ISSUER_CERT_LOCALLY) -> set certificate-authority to the cluster's CA, which the server does not send: kubectl -n rstudio get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' | base64 -w0",
  );
});

t.test('a certificate of another authority with the same name as certificate-authority', async (t) => {
  const renamed = issue();
  await fails(
    t,
    situation({ ...(await secured(t, good)), 'certificate-authority': base64(renamed.ca) }),
    'tls',
    "failed tls DIR/launcher.kubernetes.conf:4: certificate-authority: it contains CN=an authority, but the certificate of 127.0.0.1:PORT was issued by another CA with the name CN=an authority (CERT_SIGNATURE_FAILURE) -> set certificate-authority to the cluster's CA, which the server does not send: kubectl -n rstudio get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' | base64 -w0",
  );
});

t.test('a certificate for another name', async (t) => {
  const named = issue({ names: ['kubernetes', '10.96.0.1'] });
  await fails(
    t,
    situation({ ...(await secured(t, named)), 'certificate-authority': base64(named.ca) }),
    'tls',
    'failed tls DIR/launcher.kubernetes.conf:2: api-url: the certificate is not for 127.0.0.1, but for kubernetes, 10.96.0.1 -> use one of these names in api-url, or issue the certificate for 127.0.0.1 too (kubeadm: apiServer.certSANs)',
  );
});

/** The line about a certificate that is valid from one day to another, counted from today. */
async function ofDays(t: Test, from: number, until: number): Promise<readonly string[]> {
  const identity = issue({ from, until });
  const to = { ...(await secured(t, identity)), 'certificate-authority': base64(identity.ca) };
  return linesOf(await run(t, ['check'], situation(to)), 'tls');
}

t.test('a certificate that has expired', async (t) => {
  t.strictSame(await ofDays(t, -9, -2), [
    `failed tls DIR/launcher.kubernetes.conf:2: api-url: the certificate of CN=kube-apiserver expired on ${day(-2)} -> renew it on the cluster (kubeadm certs renew all, or as your distribution does), and check the clock of this host (timedatectl)`,
  ]);
});

t.test('a certificate that is not valid yet', async (t) => {
  t.strictSame(await ofDays(t, 3, 9), [
    `failed tls DIR/launcher.kubernetes.conf:2: api-url: the certificate of CN=kube-apiserver is valid from ${day(3)} on, which is in the future -> correct the clock of this host: timedatectl`,
  ]);
});

t.test('a certificate that expires soon', async (t) => {
  t.strictSame(await ofDays(t, -9, 3.5), [
    `warning tls CN=kube-apiserver, issued by CN=an authority, valid until ${day(3.5)}: in 3 days -> renew it (kubeadm certs renew apiserver, or as your distribution does)`,
  ]);
});

t.test('a certificate that is not verified', async (t) => {
  const outcome = await run(t, ['check'], situation({ ...(await secured(t, good)), 'verify-ssl-certs': '0' }));
  t.match(
    linesOf(outcome, 'tls')[0],
    /^warning tls certificates are not verified \(verify-ssl-certs=0\); verification would fail: /,
  );
});
/** The lines of one step of `check` against a server with this handler. */
async function against(t: Test, step: string, handler: RequestListener): Promise<readonly string[]> {
  const identity = issue();
  const served = await secured(t, identity, handler);
  const ended = await run(t, ['check'], situation({ ...served, 'certificate-authority': base64(identity.ca) }));
  return linesOf(ended, step);
}

const version =
  (minor: string, headers: Readonly<Record<string, string>> = {}): RequestListener =>
  (request, response) => {
    response.setHeader('Content-Type', 'application/json');
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (request.url !== '/version') response.writeHead(404);
    response.end(JSON.stringify({ major: '1', minor, gitVersion: `v1.${minor}.0` }));
  };

t.test('a server that is too old', async (t) => {
  t.strictSame(await against(t, 'version', version('19')), [
    'failed version Kubernetes v1.19.0 is too old: the plugin needs 1.20 or newer -> upgrade the cluster',
  ]);
});

t.test('a cluster that was built without a version', async (t) => {
  const unversioned: RequestListener = (_request, response) =>
    response.end(JSON.stringify({ major: '', minor: '', gitVersion: 'v0.0.0-master+$Format:%H$' }));
  t.strictSame(await against(t, 'version', unversioned), [
    'warning version Kubernetes v0.0.0-master+$Format:%H$ does not report its version (major and minor are not numbers) -> nothing to do: the plugin treats it as a current version',
  ]);
});

t.test('a server that redirects: names the target', async (t) => {
  const redirecting: RequestListener = (_request, response) =>
    response.writeHead(302, { location: 'https://login.example.com/' }).end();
  t.match(
    (await against(t, 'version', redirecting))[0],
    /^failed version .*it redirects to https:\/\/login\.example\.com\/.* -> set api-url to the address of the API server: kubectl config view /,
  );
});

t.test('a server that lacks features: says which', async (t) => {
  t.strictSame(await against(t, 'version', version('24')), [
    'warning version Kubernetes v1.24.0 is older than 1.25: where exec cannot kill a job, the plugin sets parallelism 0 and then deletes the pod -> the plugin works with this version; upgrade the cluster when possible',
  ]);
});

t.test('a web server that is not an API server', async (t) => {
  t.strictSame(await against(t, 'version', (_request, response) => response.end('<html>Welcome</html>')), [
    `failed version The answer is not one of a Kubernetes API server; check api-url: 20 characters that are not JSON [GET /version: 200] -> set api-url to the address of the API server: kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}'`,
  ]);
});

t.test('a clock of the server that is behind', async (t) => {
  const late = new Date(Date.now() - 3_600_000).toUTCString();
  t.match(
    (await against(t, 'clock', version('30', { Date: late })))[0],
    /^warning clock the clock of this host is 360\d s ahead of that of the API server -> synchronize both clocks/,
  );
});

t.test('a clock of the server that is ahead', async (t) => {
  const early = new Date(Date.now() + 120_000).toUTCString();
  t.match(
    (await against(t, 'clock', version('30', { Date: early })))[0],
    /^warning clock the clock of this host is 1[12]\d s behind that of the API server/,
  );
});

/** Options for a server that answers 401. */
async function refusing(t: Test): Promise<Readonly<Record<string, string>>> {
  const identity = issue();
  const served = await secured(t, identity, (_request, response) => {
    response.writeHead(401, { 'Content-Type': 'application/json' });
    response.end(
      '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}',
    );
  });
  return { ...served, 'certificate-authority': base64(identity.ca) };
}

t.test('an expired token', async (t) => {
  const expired = jwt({
    exp: 1_735_787_045,
    iss: 'https://kubernetes.default.svc',
    sub: 'system:serviceaccount:rstudio:job-launcher',
  });
  const outcome = await run(t, ['check'], situation({ ...(await refusing(t)), 'auth-token': expired }));
  t.match(
    linesOf(outcome, 'token')[0],
    /^failed token DIR\/launcher.kubernetes.conf:3: auth-token: expired \d+ days ago: account system:serviceaccount:rstudio:job-launcher, issuer https:\/\/kubernetes.default.svc, until 2025-01-02T03:04:05Z -> /,
  );
  t.equal(
    linesOf(outcome, 'token')[0]?.split(' -> ')[1],
    "set auth-token to the token that does not expire, from the Secret that rbac creates: kubectl -n rstudio get secret job-launcher-token -o jsonpath='{.data.token}' | base64 -d; or set auth-token-path to a file that a timer writes: kubectl -n rstudio create token job-launcher --duration=24h > /etc/rstudio/launcher.token",
  );
  t.strictSame(linesOf(outcome, 'version'), [
    'failed version DIR/launcher.kubernetes.conf:3: auth-token: the API server does not accept the token (401), which has expired -> see token above',
  ]);
  t.notMatch(outcome.out, expired.split('.')[1] ?? '-', 'the token is never shown');
});

t.test('a token that is not a JWT, refused by the server', async (t) => {
  const opaque = await run(t, ['check'], situation(await refusing(t)));
  t.strictSame(linesOf(opaque, 'token'), [
    'ok token auth-token: the token is not a JWT; its account and expiry are unknown',
  ]);
  t.strictSame(linesOf(opaque, 'version'), [
    "failed version DIR/launcher.kubernetes.conf:3: auth-token: the API server does not accept the token (401) -> it was revoked, its account was deleted, or it belongs to another cluster; set auth-token to the token that does not expire, from the Secret that rbac creates: kubectl -n rstudio get secret job-launcher-token -o jsonpath='{.data.token}' | base64 -d; or set auth-token-path to a file that a timer writes: kubectl -n rstudio create token job-launcher --duration=24h > /etc/rstudio/launcher.token",
  ]);
});

t.test('a token file that the server refuses', async (t) => {
  const inFile = await run(t, ['check'], {
    ...situation({ ...(await refusing(t)), 'auth-token-path': 'DIR/token' }),
    files: { token: 'opaque' },
  });
  t.strictSame(linesOf(inFile, 'version'), [
    "failed version DIR/launcher.kubernetes.conf:5: auth-token-path: DIR/token: the API server does not accept the token (401) -> it was revoked, its account was deleted, or it belongs to another cluster; write the token that does not expire, from the Secret that rbac creates: kubectl -n rstudio get secret job-launcher-token -o jsonpath='{.data.token}' | base64 -d > DIR/token; or let a timer run: kubectl -n rstudio create token job-launcher --duration=24h > DIR/token",
  ]);
});

t.test('an account of another namespace', async (t) => {
  const foreign = await run(
    t,
    ['check'],
    situation({ ...(await refusing(t)), 'auth-token': jwt({ sub: 'system:serviceaccount:default:rstudio' }) }),
  );
  t.strictSame(linesOf(foreign, 'token'), [
    'ok token auth-token: account system:serviceaccount:default:rstudio, without an expiry',
  ]);
});
