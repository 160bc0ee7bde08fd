/** Whose the token is, which permission is missing and how long each call took reach those who must know. */
import { createServer } from 'node:http';
import t from 'tap';
import { createPermissions } from '../../src/jobs/permissions.ts';
import { createClient } from '../../src/kubernetes/client.ts';
import { type Permission, PODS } from '../../src/kubernetes/contract.ts';
import { instrumentedClient } from '../../src/kubernetes/decorate-client.ts';
import { tokenSubject } from '../../src/kubernetes/http/credentials.ts';
import { systemClock } from '../../src/system/clock.ts';
import { silentLog } from '../../src/system/log.ts';
import { textFormat } from '../../src/system/log-format.ts';
import { createLogger } from '../../src/system/logger.ts';
import { clientOf } from '../kubernetes/server.ts';
import { fakeClock } from '../support/fake-clock.ts';

const jwt = (claims: unknown): string =>
  `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`;

t.test('a token names its account, if it is a service account token', async (t) => {
  t.strictSame(tokenSubject(jwt({ sub: 'system:serviceaccount:rstudio:job-launcher' })), {
    namespace: 'rstudio',
    name: 'job-launcher',
    secret: undefined,
  });
  const inSecret = {
    sub: 'system:serviceaccount:rstudio:job-launcher',
    'kubernetes.io/serviceaccount/secret.name': 'job-launcher-token-x7k2q',
  };
  t.equal(tokenSubject(jwt(inSecret))?.secret, 'job-launcher-token-x7k2q');
  const others = [
    '',
    'opaque',
    'a.b.c',
    jwt(null),
    jwt({}),
    jwt({ sub: 'jane' }),
    jwt({ sub: 'system:serviceaccount:x' }),
  ];
  for (const token of others) t.equal(tokenSubject(token), undefined, token);
});

t.test('a permission that is missing, and granted again, is logged at every level', async (t) => {
  const clock = fakeClock();
  const lines: string[] = [];
  const log = createLogger({
    level: 'ERROR',
    format: textFormat('p'),
    clock,
    open: () => ({
      write: (written) => void lines.push(...written.map((line) => line.slice(line.indexOf('] ') + 2))),
      close: () => {},
    }),
  });
  let granted = false;
  const unused = clientOf(t, 'http://127.0.0.1:9');
  const client = {
    ...unused,
    allowed: async ({ subresource }: Permission) => ({ allowed: granted || subresource !== 'exec', reason: '' }),
  };
  const permissions = createPermissions(client, clock, log);
  const ending = new AbortController();
  const running = permissions.run(ending.signal);
  await permissions.reviewed;
  const there = new Promise<void>((resolve) => permissions.onChange(resolve));
  granted = true;
  // Asked for again when the wait for it has begun.
  await new Promise(setImmediate);
  clock.advance(5 * 60_000);
  await there;
  ending.abort(new Error('enough'));
  await running;
  t.strictSame(lines, [
    'WARNING A permission is missing: a kill deletes the pod of a job, and with it the output [feature: exec, missing: "get pods/exec, create pods/exec"]',
    'INFO A permission that was missing is granted now; the feature is available again [feature: exec]',
  ]);
  log.close();
});

t.test('each call is observed, also one that fails', async (t) => {
  const clock = fakeClock();
  const server = createServer((request, response) => {
    clock.advance(250);
    const found = request.url === '/version';
    const body = found
      ? { major: '1', minor: '36', gitVersion: 'v1.36.0' }
      : { kind: 'Status', code: 404, reason: 'NotFound', details: { kind: 'pods' } };
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const seen: number[] = [];
  const client = instrumentedClient(
    createClient(
      {
        apiUrl: `http://127.0.0.1:${port}`,
        credentials: { kind: 'none' },
        tls: { verify: true },
        namespace: 'rstudio',
        fetchLimit: 0,
        watchTimeoutSeconds: 0,
        requestTimeoutMs: 5_000,
      },
      { clock: systemClock, random: () => 0.5, log: silentLog },
    ),
    clock,
    (seconds) => seen.push(seconds),
  );
  t.teardown(async () => {
    await client.close();
    server.close();
  });
  t.match(await client.version(), { major: 1, minor: 36 });
  await t.rejects(client.get(PODS, 'gone'), { code: 'not-found' });
  t.equal(await client.delete(PODS, 'gone', { propagationPolicy: 'Background' }), false);
  t.strictSame(seen, [0.25, 0.25, 0.25]);
  t.equal(client.namespace, 'rstudio');
});
