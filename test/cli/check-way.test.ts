/** What can be wrong between this host and the API server, provoked with real files, names, sockets and certificates. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { type Clock, systemClock } from '../../src/system/clock.ts';
import { day, type Identity, issue } from './certificates.ts';
import { linesOf, NOBODY, type Outcome, run, type Situation } from './harness.ts';

/** Listens on a free port of loopback until the test ends. */
async function listen(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Time passes eight times as fast; the date is as it is. */
const hurried: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * 8,
  after: (ms, run) => systemClock.after(ms / 8, run),
};

const base64 = (pem: string): string => Buffer.from(pem).toString('base64');

function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmVk`;
}

const OPTIONS = { 'api-url': 'https://127.0.0.1:1', 'auth-token': 'a-token' };

const options = (more: Readonly<Record<string, string>>): Situation => ({ options: { ...OPTIONS, ...more } });

/** Runs `check` and compares the lines of one step; the exit code is 1. */
async function fails(t: Test, situation: Situation, step: string, ...expected: readonly string[]): Promise<Outcome> {
  const outcome = await run(t, ['check'], situation);
  t.strictSame(linesOf(outcome, step), expected);
  t.equal(outcome.code, 1);
  return outcome;
}

t.test('the options file', async (t) => {
  const missing = await run(t, ['check', '--config-file=DIR/launcher.gpu.conf']);
  t.strictSame(missing.lines.slice(0, -1), [
    'failed   options         DIR/launcher.gpu.conf: config-file: there is no such file -> the plugin does not start before this is mended',
    'skipped  19 steps        not tried, because of what failed above: server-user, open-files, directories, profiles, ca, token, name, tcp, tls, version, clock, rights, namespace, permissions, nodes, metrics, constraints, launchers, accounts',
  ]);
  t.match(missing.lines.at(-1), /^1 failed, 19 skipped \(\d+\.\d s\)$/);
  const json = JSON.parse((await run(t, ['check', '--config-file=DIR/launcher.gpu.conf', '--json'])).out);
  t.equal(json.results.length, 20, 'machines are told each step');
  t.equal(missing.code, 1);

  await fails(
    t,
    options({ 'job-expiry-hours': 'soon' }),
    'options',
    'failed options DIR/launcher.kubernetes.conf:4: job-expiry-hours: "soon" must be a number such as 0.5 or 1e-3 from 0 to 87600 -> mend that line; the plugin does not start before',
  );
  await fails(
    t,
    options({ 'api-url': '127.0.0.1:6443' }),
    'options',
    'failed options DIR/launcher.kubernetes.conf:2: api-url: "127.0.0.1:6443" must be an http or https URL without user info, query and fragment, such as https://10.0.0.1:6443 -> mend that line; the plugin does not start before',
  );
  await fails(
    t,
    options({ 'tolerations-x': '1' }),
    'options',
    'failed options DIR/launcher.kubernetes.conf:4: tolerations-x: is not an option of this plugin -> mend that line; for the file of a newer first-party plugin write unknown-options=warn',
  );
  await fails(
    t,
    options({ 'certificate-authority': 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t' }),
    'options',
    'failed options DIR/launcher.kubernetes.conf:4: certificate-authority: must be base64 of a PEM certificate, a PEM certificate, or an absolute path to a PEM file: no BEGIN CERTIFICATE was found in it -> mend that line; the plugin does not start before',
  );
});

t.test('profiles, and later steps that still run', async (t) => {
  const outcome = await fails(
    t,
    {
      ...options({
        'api-url': `http://127.0.0.1:${await listen(
          t,
          createHttpServer((_request, response) => response.writeHead(404).end()),
        )}`,
      }),
      files: { 'launcher.kubernetes.profiles.conf': '[*]\ndefault-cpu=2\nmax-cpus=many\n' },
    },
    'profiles',
    'failed profiles DIR/launcher.kubernetes.profiles.conf:2: default-cpu: is not a key of profiles (did you mean "default-cpus"?) -> mend that line; the plugin does not start before',
    'failed profiles DIR/launcher.kubernetes.profiles.conf:3: max-cpus: "many" must be a number such as 1.5 from 0 to 1000000 -> mend that line; the plugin does not start before',
  );
  t.match(linesOf(outcome, 'tcp'), ['ok tcp 127.0.0.1:PORT answers']);
});

t.test('a group that this host does not have', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\nmax-cpus=2\n\n[@no such group]\nmax-cpus=4\n' };
  const outcome = await run(t, ['check'], { ...options({ 'api-url': 'http://kubernetes.invalid' }), files });
  t.strictSame(linesOf(outcome, 'profiles'), [
    'ok profiles 2 sections in DIR/launcher.kubernetes.profiles.conf',
    'ok profiles 0 resource profiles in DIR/launcher.kubernetes.resources.conf',
    'warning profiles DIR/launcher.kubernetes.profiles.conf:4: this host has no group no such group -> correct the section, or add the group to this host: nobody gets it',
  ]);
});

t.test('files that are named and not there', async (t) => {
  const outcome = await fails(
    t,
    options({ 'certificate-authority': 'DIR/ca.crt', 'auth-token-path': 'DIR/token', 'profile-config': 'DIR/none' }),
    'ca',
    'failed ca DIR/launcher.kubernetes.conf:4: certificate-authority: DIR/ca.crt does not exist -> mend that line; the plugin does not start before',
  );
  t.strictSame(linesOf(outcome, 'profiles'), [
    'failed profiles DIR/launcher.kubernetes.conf:6: profile-config: DIR/none does not exist -> mend that line; the plugin does not start before',
  ]);
  await fails(
    t,
    options({ 'auth-token-path': 'DIR/token' }),
    'token',
    'failed token DIR/launcher.kubernetes.conf:4: auth-token-path: DIR/token does not exist -> mend that line; the plugin does not start before',
  );
});

t.test('a token that everybody on this host can read', async (t) => {
  const files = { token: 'opaque' };
  const outcome = await run(t, ['check'], {
    ...options({ 'api-url': 'https://kubernetes.invalid', 'auth-token-path': 'DIR/token' }),
    files,
  });
  t.strictSame(linesOf(outcome, 'token'), [
    'ok token DIR/token: a token that is not a JWT, so that nothing can be told of it',
    'warning token DIR/launcher.kubernetes.conf:4: auth-token-path: everybody on this host can read the token in DIR/token -> chmod o-r DIR/token',
  ]);
});

t.test('a name that nobody knows', async (t) => {
  const outcome = await fails(
    t,
    options({ 'api-url': `https://${NOBODY}:6443` }),
    'name',
    `failed name DIR/launcher.kubernetes.conf:2: api-url: ${NOBODY} is not a name that this host can resolve -> correct api-url, or add the name to /etc/hosts or the name server; then getent hosts shows it`,
  );
  t.match(
    linesOf(outcome, '12 steps')[0],
    /^skipped 12 steps not tried, because of what failed above: tcp, tls, version, /,
  );
});

t.test('nobody listens', async (t) => {
  const server = createServer();
  const port = await listen(t, server);
  server.close();
  await once(server, 'close');
  await fails(
    t,
    options({ 'api-url': `https://127.0.0.1:${port}` }),
    'tcp',
    'failed tcp DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT refuses connections -> is the API server running, and is the port of api-url the right one (often 6443 or 443)?',
  );
});

t.test('what takes its time', async (t) => {
  /** A process that listens and never accepts: when its queue is full, further connections are dropped. */
  const full = async (t: Test): Promise<number> => {
    const code = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
      require('node:fs').writeSync(1, String(this.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
    t.teardown(() => child.kill('SIGKILL'));
    const port = Number(String(await once(child.stdout, 'data')));
    for (let i = 0; i < 8; i++) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      t.teardown(() => socket.destroy());
    }
    return port;
  };
  const identity = await issue();
  const hangs = createHttpsServer(identity, () => {});
  const [dropped, silent, slow] = await Promise.all([full(t), listen(t, createServer()), listen(t, hangs)]);
  const at = (port: number): Situation => ({
    ...options({ 'api-url': `https://127.0.0.1:${port}`, 'certificate-authority': base64(identity.ca) }),
    surroundings: { clock: hurried },
  });
  await Promise.all([
    fails(
      t,
      at(dropped),
      'tcp',
      'failed tcp DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT did not answer within 4 s -> a firewall or security group between this host and the API server drops it, or nothing has this address',
    ),
    fails(
      t,
      at(silent),
      'tls',
      'failed tls DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT accepts connections, but no TLS handshake was made within 4 s -> something between holds the connection, or this is not an API server: is the port of api-url right?',
    ),
    fails(
      t,
      at(slow),
      'version',
      "failed version the API server did not answer GET /version in time -> the API server is overloaded or hangs: look at its log and at the cluster's own health",
    ),
  ]);
});

t.test('all steps together have 15 s', async (t) => {
  const identity = await issue();
  // As every answer takes 3 s of the hurried clock, questions of rights take more than is left.
  const slow = createHttpsServer({ cert: identity.cert, key: identity.key }, (request, response) => {
    setTimeout(() => {
      response.setHeader('Content-Type', 'application/json');
      const review = { kind: 'SelfSubjectAccessReview', status: { allowed: true } };
      response.end(
        JSON.stringify(request.url === '/version' ? { major: '1', minor: '36', gitVersion: 'v1.36.2' } : review),
      );
    }, 400);
  });
  const port = await listen(t, slow);
  const outcome = await run(t, ['check'], {
    ...options({ 'api-url': `https://127.0.0.1:${port}`, 'certificate-authority': base64(identity.ca) }),
    surroundings: { clock: hurried },
  });
  t.strictSame(linesOf(outcome, 'version'), ['ok version Kubernetes v1.36.2']);
  t.strictSame(linesOf(outcome, 'rights'), [
    'failed rights no answer within the 15 s that all steps together have -> see what is slow above',
  ]);
  t.match(
    outcome.out,
    /^skipped {2}\d steps {9}no answer within the 15 s that all steps together have: .*nodes, metrics/m,
  );
  const seconds = Number(/\((\d+\.\d) s\)$/.exec(outcome.lines.at(-1) ?? '')?.[1]);
  t.ok(seconds >= 15 && seconds < 16.5, `${seconds} s of the hurried clock`);
});

t.test('on a terminal', async (t) => {
  const { out, lines } = await run(t, ['check'], {
    ...options({ 'log-level': '9' }),
    terminal: { columns: 60, color: true },
  });
  t.strictSame(lines.slice(0, 5), [
    '\u001b[31mfailed   \u001b[0moptions         DIR/launcher.kubernetes.conf:4:',
    '                         log-level: "9" must be one of OFF,',
    '                         ERROR, WARNING, INFO, DEBUG, or 0',
    '                         to 4 -> mend that line; the plugin',
    '                         does not start before',
  ]);
  t.match(
    out,
    '\u001b[90mskipped  \u001b[0m19 steps        not tried, because of what failed\n                         above: server-user, open-files,\n',
  );
});

t.test('something else than TLS', async (t) => {
  const port = await listen(t, createHttpServer());
  await fails(
    t,
    options({ 'api-url': `https://127.0.0.1:${port}` }),
    'tls',
    'failed tls DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER) -> this is not the secure port of an API server: correct the port, or https, of api-url',
  );
});

t.test('http to a port that speaks https', async (t) => {
  const identity = await issue();
  const silent = createHttpsServer(identity);
  // As Go's server does it.
  const telling = createServer((socket) => {
    socket.on('data', () => {
      socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n');
    });
  });
  for (const [server, said] of [
    [silent, /^failed version /],
    [telling, /^failed version .*: Client sent an HTTP request to an HTTPS server\. /],
  ] as const) {
    const port = await listen(t, server);
    const [line = ''] = linesOf(await run(t, ['check'], options({ 'api-url': `http://127.0.0.1:${port}` })), 'version');
    t.match(line, said);
    t.equal(line.split(' -> ')[1], 'api-url says http, but the port may speak https: write https:// there');
  }
});

/** An https server with this identity, and options that reach it. */
async function secured(
  t: Test,
  identity: Identity,
  answer: RequestListener = (_request, response) => response.writeHead(404).end(),
): Promise<Readonly<Record<string, string>>> {
  const port = await listen(t, createHttpsServer({ cert: identity.cert, key: identity.key }, answer));
  return { ...OPTIONS, 'api-url': `https://127.0.0.1:${port}` };
}

t.test('certificates', async (t) => {
  const good = await issue();

  await t.test('of an unknown issuer that sends its authority', async (t) => {
    const served = await secured(t, { ...good, cert: `${good.cert}\n${good.ca}` });
    const outcome = await run(t, ['check'], { options: served });
    const at = outcome.lines.findIndex((line) => line.startsWith('failed   tls'));
    t.match(outcome.lines.slice(at, at + 5), [
      "failed   tls             DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT shows a certificate issued by CN=an authority, which this host does not trust (SELF_SIGNED_CERT_IN_CHAIN) -> if this fingerprint is that of your cluster's CA, put this line into the options file",
      `                         0: CN=kube-apiserver, issued by CN=an authority, until ${day(100)}`,
      `                         1: CN=an authority, issued by CN=an authority, until ${day(1000)}`,
      /^ {25}SHA-256 of CN=an authority: ([0-9A-F]{2}:){31}[0-9A-F]{2}$/,
      /^ {25}certificate-authority=LS0tLS1CRUdJTi/,
    ]);
    const [, pasted = ''] = /certificate-authority=(\S+)/.exec(outcome.out) ?? [];
    const mended = await run(t, ['check'], { options: { ...served, 'certificate-authority': pasted } });
    t.strictSame(linesOf(mended, 'tls'), [
      `ok tls CN=kube-apiserver, issued by CN=an authority, valid until ${day(100)}`,
    ]);
  });

  await t.test('of an unknown issuer that is not sent', async (t) => {
    await fails(
      t,
      { options: await secured(t, good) },
      'tls',
      "failed tls DIR/launcher.kubernetes.conf:2: api-url: 127.0.0.1:PORT shows a certificate issued by CN=an authority, which this host does not trust (UNABLE_TO_VERIFY_LEAF_SIGNATURE) -> put the cluster's CA into certificate-authority; the server does not send it: kubectl -n rstudio get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' | base64 -w0",
    );
  });

  await t.test('of another authority than certificate-authority', async (t) => {
    const other = await issue({ authority: 'the old cluster' });
    await fails(
      t,
      { options: { ...(await secured(t, good)), 'certificate-authority': base64(other.ca) } },
      'tls',
      "failed tls DIR/launcher.kubernetes.conf:4: certificate-authority: it is CN=the old cluster, but the certificate of 127.0.0.1:PORT was issued by CN=an authority (UNABLE_TO_VERIFY_LEAF_SIGNATURE) -> put the cluster's CA into certificate-authority; the server does not send it: kubectl -n rstudio get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' | base64 -w0",
    );
    const renamed = await issue();
    await fails(
      t,
      { options: { ...(await secured(t, good)), 'certificate-authority': base64(renamed.ca) } },
      'tls',
      "failed tls DIR/launcher.kubernetes.conf:4: certificate-authority: it is CN=an authority, but the certificate of 127.0.0.1:PORT was issued by another CN=an authority (CERT_SIGNATURE_FAILURE) -> put the cluster's CA into certificate-authority; the server does not send it: kubectl -n rstudio get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' | base64 -w0",
    );
  });

  await t.test('for another name', async (t) => {
    const named = await issue({ names: ['kubernetes', '10.96.0.1'] });
    await fails(
      t,
      { options: { ...(await secured(t, named)), 'certificate-authority': base64(named.ca) } },
      'tls',
      'failed tls DIR/launcher.kubernetes.conf:2: api-url: the certificate is not for 127.0.0.1, but for kubernetes, 10.96.0.1 -> use one of these names in api-url, or issue the certificate for 127.0.0.1 too (kubeadm: apiServer.certSANs)',
    );
  });

  await t.test('expired, about to expire, not yet valid', async (t) => {
    const check = async (from: number, until: number) => {
      const identity = await issue({ from, until });
      const outcome = await run(t, ['check'], {
        options: { ...(await secured(t, identity)), 'certificate-authority': base64(identity.ca) },
      });
      return linesOf(outcome, 'tls');
    };
    t.strictSame(await check(-9, -2), [
      `failed tls DIR/launcher.kubernetes.conf:2: api-url: the certificate of CN=kube-apiserver expired on ${day(-2)} -> renew it on the cluster (kubeadm certs renew all, or as your distribution does), and check the clock of this host (timedatectl)`,
    ]);
    t.strictSame(await check(3, 9), [
      `failed tls DIR/launcher.kubernetes.conf:2: api-url: the certificate of CN=kube-apiserver is valid from ${day(3)} on, which is not yet -> is the clock of this host right (timedatectl)?`,
    ]);
    t.strictSame(await check(-9, 3.5), [
      `warning tls CN=kube-apiserver, issued by CN=an authority, valid until ${day(3.5)}: in 3 days -> renew it (kubeadm certs renew apiserver, or as your distribution does)`,
    ]);
  });

  await t.test('that are not verified', async (t) => {
    const outcome = await run(t, ['check'], { options: { ...(await secured(t, good)), 'verify-ssl-certs': '0' } });
    t.match(
      linesOf(outcome, 'tls')[0],
      /^warning tls nothing is verified \(verify-ssl-certs=0\); verified, it would fail: /,
    );
  });
});

t.test('servers that are no API servers, or not as they should be', async (t) => {
  const identity = await issue();
  const check = async (step: string, answer: RequestListener): Promise<readonly string[]> => {
    const served = await secured(t, identity, answer);
    const ended = await run(t, ['check'], { options: { ...served, 'certificate-authority': base64(identity.ca) } });
    return linesOf(ended, step);
  };
  const version =
    (minor: string, headers: Readonly<Record<string, string>> = {}): RequestListener =>
    (request, response) => {
      response.setHeader('Content-Type', 'application/json');
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      if (request.url !== '/version') response.writeHead(404);
      response.end(JSON.stringify({ major: '1', minor, gitVersion: `v1.${minor}.0` }));
    };
  t.strictSame(await check('version', version('19')), [
    'failed version Kubernetes v1.19.0 is too old: 1.20 is the oldest that works -> upgrade the cluster',
  ]);
  t.strictSame(await check('version', version('24')), [
    'warning version Kubernetes v1.24.0 is older than 1.25: a killed job that ignores exec is held back by its parallelism before its pod is deleted -> it works all the same; upgrade the cluster when you can',
  ]);
  t.strictSame(await check('version', (_request, response) => response.end('<html>Welcome</html>')), [
    'failed version The answer is not one of a Kubernetes API server: does api-url name it?: 20 characters that are not JSON [GET /version: 200] -> api-url does not name an API server but something else that answers http',
  ]);
  const late = new Date(Date.now() - 3_600_000).toUTCString();
  t.match(
    (await check('clock', version('30', { Date: late })))[0],
    /^warning clock the clock of this host is 360\d s ahead of that of the API server -> let both keep time/,
  );
  const early = new Date(Date.now() + 120_000).toUTCString();
  t.match(
    (await check('clock', version('30', { Date: early })))[0],
    /^warning clock the clock of this host is 1[12]\d s behind that of the API server/,
  );
});

t.test('tokens', async (t) => {
  const expired = jwt({
    exp: 1_735_787_045,
    iss: 'https://kubernetes.default.svc',
    sub: 'system:serviceaccount:rstudio:job-launcher',
  });
  const identity = await issue();
  const served = await secured(t, identity, (_request, response) => {
    response.writeHead(401, { 'Content-Type': 'application/json' });
    response.end(
      '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}',
    );
  });
  const reach = { ...served, 'certificate-authority': base64(identity.ca) };
  const outcome = await run(t, ['check'], { options: { ...reach, 'auth-token': expired } });
  t.match(
    linesOf(outcome, 'token')[0],
    /^failed token DIR\/launcher.kubernetes.conf:3: auth-token: expired \d+ days ago: account system:serviceaccount:rstudio:job-launcher, issuer https:\/\/kubernetes.default.svc, until 2025-01-02T03:04:05Z -> /,
  );
  t.equal(
    linesOf(outcome, 'token')[0]?.split(' -> ')[1],
    "the token of the Secret that rbac prints does not expire: kubectl -n rstudio get secret job-launcher-token -o jsonpath='{.data.token}' | base64 -d into auth-token; one that a timer renews: kubectl -n rstudio create token job-launcher --duration=24h into the file of auth-token-path",
  );
  t.strictSame(linesOf(outcome, 'version'), [
    'failed version DIR/launcher.kubernetes.conf:3: auth-token: the API server does not accept the token (401), which has expired -> see token above',
  ]);
  t.notMatch(outcome.out, expired.split('.')[1] ?? '-', 'the token is never shown');

  const opaque = await run(t, ['check'], { options: reach });
  t.strictSame(linesOf(opaque, 'token'), [
    'ok token auth-token: a token that is not a JWT, so that nothing can be told of it',
  ]);
  t.strictSame(linesOf(opaque, 'version'), [
    "failed version DIR/launcher.kubernetes.conf:3: auth-token: the API server does not accept the token (401) -> it was revoked, its account deleted, or it is of another cluster; the token of the Secret that rbac prints does not expire: kubectl -n rstudio get secret job-launcher-token -o jsonpath='{.data.token}' | base64 -d into auth-token; one that a timer renews: kubectl -n rstudio create token job-launcher --duration=24h into the file of auth-token-path",
  ]);

  const inFile = await run(t, ['check'], {
    options: { ...reach, 'auth-token-path': 'DIR/token' },
    files: { token: 'opaque' },
  });
  t.strictSame(linesOf(inFile, 'version'), [
    "failed version DIR/launcher.kubernetes.conf:5: auth-token-path: DIR/token: the API server does not accept the token (401) -> it was revoked, its account deleted, or it is of another cluster; the token of the Secret that rbac prints does not expire: kubectl -n rstudio get secret job-launcher-token -o jsonpath='{.data.token}' | base64 -d > DIR/token; one that a timer renews: kubectl -n rstudio create token job-launcher --duration=24h > DIR/token",
  ]);

  const foreign = await run(t, ['check'], {
    options: { ...reach, 'auth-token': jwt({ sub: 'system:serviceaccount:default:rstudio' }) },
  });
  t.strictSame(linesOf(foreign, 'token'), [
    'ok token auth-token: account system:serviceaccount:default:rstudio, without an expiry',
    'warning token the account rstudio belongs to namespace default, jobs go to rstudio -> is kubernetes-namespace right? Else bind the account there: subjects: [{kind: ServiceAccount, name: rstudio, namespace: default}]',
  ]);
});
