/** No job gets an account, a token or a Secret that its profile does not grant, nor, ever, the plugin's own. */
import t from 'tap';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { mount, refused } from './policed.ts';

const account = (value: string): Partial<JobRequest> => ({ config: [{ name: 'serviceAccountName', value }] });
const secret = (value: string): Partial<JobRequest> => ({ config: [{ name: 'secret', value }] });
const AT = 'The passthrough mount at /m: ';
/** All volumes that name a Secret. */
const VOLUMES: readonly ((name: string) => Record<string, unknown>)[] = [
  (name) => ({ secret: { secretName: name } }),
  (name) => ({ projected: { sources: [{ configMap: { name: 'x' } }, { secret: { name } }] } }),
  (name) => ({ csi: { driver: 'd', nodePublishSecretRef: { name } } }),
  (name) => ({ flexVolume: { driver: 'd', secretRef: { name } } }),
];

t.test("a job never gets the plugin's own account, whatever the profile allows", async (t) => {
  t.equal(
    refused('', account('job-launcher')),
    "serviceAccountName job-launcher is the plugin's own and cannot be used by jobs.",
  );
  t.equal(
    refused('service-accounts=job-launcher', account('job-launcher')),
    "serviceAccountName job-launcher is the plugin's own and cannot be used by jobs.",
  );
});

t.test('service-accounts allows accounts by name', async (t) => {
  t.equal(refused('', account('x')), 'allowed');
  t.equal(refused('service-accounts=a,b', account('b')), 'allowed');
  t.equal(
    refused('service-accounts=a,b', account('c')),
    'serviceAccountName c is not allowed (service-accounts, F:2).',
  );
  t.equal(
    refused('service-accounts=none', account('a')),
    'serviceAccountName a is not allowed (service-accounts, F:2).',
  );
  t.equal(refused('service-accounts=none\nservice-account=jobs', account('jobs')), 'allowed', "the profile's own");
  t.equal(refused('service-accounts=none', {}), 'allowed');
});

t.test('every account that a job names is judged: a template may read another one than the last', async (t) => {
  const accounts = (...values: readonly string[]): Partial<JobRequest> => ({
    config: values.map((value) => ({ name: 'serviceAccountName', value })),
  });
  t.equal(
    refused('', accounts('job-launcher', 'x')),
    "serviceAccountName job-launcher is the plugin's own and cannot be used by jobs.",
  );
  t.equal(
    refused('service-accounts=a,b', accounts('c', 'b')),
    'serviceAccountName c is not allowed (service-accounts, F:2).',
  );
  t.equal(refused('service-accounts=a,b', accounts('a', 'b')), 'allowed');
});

t.test('secrets allows Secrets by name', async (t) => {
  t.equal(refused('', secret('db:password')), 'allowed');
  t.equal(refused('secrets=db', secret('db:password:PW')), 'allowed');
  t.equal(
    refused('secrets=db', secret('other:password')),
    'config secret: Secret other is not allowed (secrets, F:2).',
  );
  t.equal(refused('secrets=none', secret('db:password')), 'config secret: Secret db is not allowed (secrets, F:2).');
  t.equal(
    refused('secrets=none', secret('hunter2')),
    'config secret must be secretName:key or secretName:key:ENV_NAME.',
    'what is no reference may be a secret itself',
  );
});

t.test('secrets holds for volumes that name a Secret', async (t) => {
  for (const volume of VOLUMES) {
    t.equal(refused('', mount('passthrough', volume('keys'))), 'allowed');
    t.equal(
      refused('secrets=none', mount('passthrough', volume('keys'))),
      `${AT}Secret keys is not allowed (secrets, F:2).`,
    );
  }
  t.equal(
    refused('secrets=none', mount('azureFile', { secretName: 'keys', shareName: 's' })),
    'The azureFile mount at /m: Secret keys is not allowed (secrets, F:2).',
  );
});

t.test('a Secret with the input of a job is never given to another job', async (t) => {
  const input = 'bobs-job-0123456789-stdin';
  const why = `Secret ${input} holds the input of a job and cannot be used.`;
  t.equal(refused('', secret(`${input}:stdin`)), `config secret: ${why}`);
  for (const volume of VOLUMES) t.equal(refused('', mount('passthrough', volume(input))), `${AT}${why}`);
});

t.test("a Secret with a token of the plugin's account is never given to a job", async (t) => {
  const own = ['key-of-the-plugin', 'job-launcher-token', 'job-launcher-token-x7k2q', 'job-launcher-dockercfg-x7k2q'];
  for (const name of own) {
    const why = `Secret ${name} holds a token of the plugin and cannot be used by jobs.`;
    t.equal(refused('', secret(`${name}:token:T`)), `config secret: ${why}`);
    t.equal(refused(`secrets=${name}`, secret(`${name}:token`)), `config secret: ${why}`, 'whatever the profile says');
    for (const volume of VOLUMES) t.equal(refused('', mount('passthrough', volume(name))), `${AT}${why}`);
    t.equal(refused('', mount('azureFile', { secretName: name, shareName: 's' })), `The azureFile mount at /m: ${why}`);
    t.equal(refused('', secret(`${name}:token`), { ownAccount: undefined }), 'allowed', 'of an account elsewhere');
  }
});

t.test("a Secret with a name that resembles one of the plugin's is allowed", async (t) => {
  for (const name of ['job-launcher', 'job-launcher-tokens', 'my-job-launcher-token', 'job-launcher-token-of-db'])
    t.equal(refused('', secret(`${name}:token`)), 'allowed', name);
});

t.test('a projected token obeys service-accounts', async (t) => {
  const token = mount('passthrough', { projected: { sources: [{ serviceAccountToken: { path: 't' } }] } });
  t.equal(refused('', token), 'allowed');
  t.equal(
    refused('service-accounts=none', token),
    `${AT}a token of service account default is not allowed (service-accounts, F:2).`,
  );
  t.equal(
    refused('service-account=job-launcher', token),
    `${AT}a token of job-launcher, the plugin's own service account, cannot be used by jobs.`,
  );
});
