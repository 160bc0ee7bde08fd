/** Paths are made of names and queries of values: nothing that somebody chose becomes more than that. */
import fc from 'fast-check';
import t from 'tap';
import { JOBS, NODES, POD_METRICS, PODS } from '../../src/kubernetes/contract.ts';
import { isName, pathOf, queryOf, resourcePath } from '../../src/kubernetes/paths.ts';
import { apiServer, clientOf, scripted } from './server.ts';

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

t.test('names never become paths by themselves', async (t) => {
  const { client, requests } = await scripted(t, []);
  for (const name of [
    '..',
    '%2e%2e',
    'a/b',
    'a?b',
    'a#b',
    'a\r\nx: y',
    'A',
    '',
    '.',
    'a..b',
    '-a',
    'a-',
    'a'.repeat(254),
  ]) {
    const refused = { name: 'TypeError', message: /not a Kubernetes name/ };
    t.throws(() => client.get(JOBS, name), refused, JSON.stringify(name));
    t.throws(() => client.patch(JOBS, name, {}), refused);
    await t.rejects(async () => client.delete(JOBS, name, { propagationPolicy: 'Background' }), refused);
    await t.rejects(async () => client.exec(name, 'c', ['x']), refused);
    await t.rejects(async () => client.attachInput(name, 'c', Buffer.alloc(0)), refused);
  }
  t.strictSame(requests, []);
});

t.test('a path prefix, and addresses of IPv6', async (t) => {
  const paths: string[] = [];
  const server = await apiServer(
    t,
    ({ request, answer }) => {
      paths.push(request.url ?? '');
      answer(200, { major: '1', minor: '25+', gitVersion: 'v1.25.3-eks' });
    },
    { host: '::1' },
  );
  for (const prefix of ['', '/', '/k8s/clusters/c-m-abc', '/k8s/clusters/c-m-abc/']) {
    const client = clientOf(t, server.url + prefix);
    t.strictSame(await client.version(), { major: 1, minor: 25, gitVersion: 'v1.25.3-eks' });
  }
  t.strictSame(paths, ['/version', '/version', '/k8s/clusters/c-m-abc/version', '/k8s/clusters/c-m-abc/version']);
});
