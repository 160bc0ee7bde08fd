/**
 * The way to the cluster - address, token, CA, namespace - is understood in every form in which it is written, in the
 * options file, in files of its own or by the pod around; the token is shown nowhere, what is risky is warned of.
 */
import t, { type Test } from 'tap';
import { readClusterAccess, readTokenFile } from '../../../src/config/options/cluster.ts';
import { parseCommandLine } from '../../../src/config/options/command-line.ts';
import { loadOptions, type Options } from '../../../src/config/options/options.ts';
import { describe } from '../../../src/config/text/problem.ts';
import { CONF, environment, load } from './reading.ts';
import { CA, JWT, REACH } from './samples.ts';

t.test('auth-token is a JWT, base64 of a token, or the token itself', async (t) => {
  const token = async (text: string): Promise<unknown> =>
    (await load(t, `api-url=https://h\nauth-token=${text}\n`)).options?.authToken;
  t.equal(await token(JWT), JWT);
  t.equal(await token(Buffer.from(JWT).toString('base64')), JWT);
  t.equal(await token('abcdef0123456789.notajwt'), 'abcdef0123456789.notajwt');
  t.equal(await token('aGVsbG8gd29ybGQ='), 'aGVsbG8gd29ybGQ=', 'base64 of text with a blank is a token itself');
  t.equal(await token('YQ=='), 'a');
  t.equal(await token('aGVsbG8'), 'aGVsbG8', 'base64 without padding is not strict');
  t.equal(await token('/////w=='), '/////w==', 'base64 of other bytes is a token itself');
});

t.test('an auth-token that is no token is refused and not shown', async (t) => {
  const { problems } = await load(t, 'api-url=https://h\nauth-token=SECRET SECRET\n');
  t.same(problems, [
    `${CONF}:2: auth-token: must be a token: printable characters without whitespace (the value is not shown)`,
  ]);
});

t.test('auth-token-path replaces auth-token, with a warning', async (t) => {
  const both = await load(t, `${REACH}auth-token-path=/t\n`);
  t.same([both.options?.authToken, both.options?.authTokenPath], [undefined, '/t']);
  t.same(both.warnings, [`${CONF}:2: auth-token: is ignored, because auth-token-path is set`]);
});

t.test('a token in another option is not shown', async (t) => {
  const rows: (readonly [text: string, problem: string])[] = [
    [`${REACH}auth-token-path=${JWT}`, `${CONF}:3: auth-token-path: "***" must be an absolute path`],
    [
      `${REACH}auth-token-path=${Buffer.from(JWT).toString('base64')}`,
      `${CONF}:3: auth-token-path: "***" must be an absolute path`,
    ],
    [`${REACH}scratch-path=${JWT.slice(0, 20)}`, `${CONF}:3: scratch-path: "***" must be an absolute path`],
    [`${REACH}log-format=x ${JWT}, y`, `${CONF}:3: log-format: "x ***, y" must be one of text, json`],
    [`${REACH}[${JWT}]\n[${JWT}]`, `${CONF}:3: the options file must not have sections`],
  ];
  for (const opaque of [
    '9f86d081884c7d659a2feaa0c55ad015',
    'a1b2c3.7hG3kq9ZpL0s2vW8',
    'Zm9v/Y2FyOXh6cTJ3M2U+cjV0Nnk3dTg=',
    '550e8400-e29b-41d4-a716-446655440000',
  ]) {
    rows.push(
      [
        `auth-token=x\napi-url=${opaque}`,
        `${CONF}:2: api-url: "***" must be an http or https URL without user info, query and fragment, such as https://10.0.0.1:6443`,
      ],
      [`${REACH}auth-token-path=${opaque}`, `${CONF}:3: auth-token-path: "***" must be an absolute path`],
    );
  }
  for (const [text, problem] of rows) t.equal((await load(t, `${text}\n`)).problems[0], problem);
});

t.test('long names that are no token are shown', async (t) => {
  for (const name of [
    'rstudio_production_2024_team1',
    'ec2-54-12-3.compute-1.amazonaws.com',
    'r/i@sha256:9f86d081884c7d',
  ])
    t.equal(
      (await load(t, `${REACH}log-format=${name}\n`)).problems[0],
      `${CONF}:3: log-format: "${name}" must be one of text, json`,
    );
});

t.test('the value of an option that does not exist is not shown', async (t) => {
  for (const text of ['auth-tokn=hunter2', 'auth_token=hunter2', 'tokn=hunter2', 'certificate-autority=hunter2']) {
    const { problems } = await load(t, `${REACH}${text}\n`);
    t.equal(problems.length, 1);
    t.notMatch(problems[0], 'hunter2');
    t.notMatch(parseCommandLine([`--${text}`]).warnings.map(describe), 'hunter2');
  }
});

t.test('a token on the command line is refused and not shown', async (t) => {
  t.same(parseCommandLine(['auth-tokn=hunter2']).problems.map(describe), [
    'command line: "auth-tokn=..." is not an option: write --name=value',
  ]);
  const typed = parseCommandLine(['--auth-token=Bearer', JWT, `--auth-token${JWT}`, `--${JWT}`]);
  t.same([...typed.problems, ...typed.warnings].map(describe), [
    'command line: auth-token: is allowed in the options file only: every user can read a command line',
    'command line: "***" is not an option: write --name=value',
    'command line: auth-token***: is not an option of this plugin and is ignored',
    'command line: ***: is not an option of this plugin and is ignored',
  ]);
});

t.test('certificate-authority is base64 or PEM, with or without line breaks', async (t) => {
  const ca = async (text: string): Promise<unknown> =>
    (await load(t, `${REACH}certificate-authority=${text}\n`)).options?.certificateAuthority;
  const base64 = Buffer.from(CA).toString('base64');
  t.equal(await ca(base64), CA);
  t.equal(await ca(base64.replace(/.{76}/g, '$& ')), CA);
  t.equal(await ca(Buffer.from(CA.replaceAll('\n', '')).toString('base64')), CA);
  t.equal(await ca(CA.replaceAll('\n', ' ')), CA);
  t.equal(await ca(`"${CA.replaceAll('\n', '\\n')}"`), undefined, 'decoded line breaks are control characters');
  t.equal(await ca(Buffer.from(CA + CA).toString('base64')), CA + CA, 'a bundle');
});

t.test('a certificate-authority that is no certificate is refused with the reason', async (t) => {
  const said = async (text: string): Promise<readonly string[]> =>
    (await load(t, `${REACH}certificate-authority=${text}\n`)).problems;
  const reason = `${CONF}:3: certificate-authority: must be base64 of a PEM certificate, a PEM certificate, or an absolute path to a PEM file: `;
  t.same(await said('nonsense'), [`${reason}it contains no BEGIN CERTIFICATE`]);
  t.same(await said('-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----'), [
    `${reason}block 1 is not a certificate`,
  ]);
  t.same(await said('-----BEGIN PRIVATE KEY-----AAAA-----END PRIVATE KEY-----'), [
    `${reason}it contains a private key, which must not be here`,
  ]);
});

const base = {
  certificateAuthority: undefined,
  certificateAuthorityPath: undefined,
  kubernetesNamespace: 'rstudio',
  namespacePath: undefined,
  origins: new Map([['certificate-authority', { file: '/etc/l.conf', line: 4 }]] as const),
};

t.test('CA and namespace of the cluster are read from files, or are those of the options', async (t) => {
  const directory = t.testdir({ 'ca.pem': `some text\n${CA}`, namespace: 'team\n' });
  t.same(readClusterAccess({ ...base, certificateAuthority: CA }), { namespace: 'rstudio', certificateAuthority: CA });
  t.same(
    readClusterAccess({
      ...base,
      certificateAuthorityPath: `${directory}/ca.pem`,
      namespacePath: `${directory}/namespace`,
    }),
    { namespace: 'team', certificateAuthority: CA },
  );
});

t.test('files of the CA and the namespace that are missing or invalid are errors with their path', async (t) => {
  const directory = t.testdir({ 'bad.pem': 'x', Bad: 'Bad Name' });
  t.throws(() => readClusterAccess({ ...base, certificateAuthorityPath: `${directory}/none` }), {
    code: 'unreadable',
    message: `/etc/l.conf:4: certificate-authority: ${directory}/none does not exist`,
  });
  t.throws(() => readClusterAccess({ ...base, certificateAuthorityPath: `${directory}/bad.pem` }), { code: 'invalid' });
  t.throws(() => readClusterAccess({ ...base, namespacePath: `${directory}/Bad` }), {
    code: 'invalid',
    message: `${directory}/Bad: kubernetes-namespace: must be a DNS label (lower-case letters, digits and -, at most 63 characters)`,
  });
});

/** A pod with the files of a service account. */
function insidePod(t: Test): { directory: string; pod: typeof environment } {
  const directory = t.testdir({ token: 'x', 'ca.crt': 'x', namespace: 'x' });
  const env = {
    RSTUDIO_CONFIG_DIR: `${directory}/none`,
    KUBERNETES_SERVICE_HOST: 'fd00::1',
    KUBERNETES_SERVICE_PORT: '6443',
  };
  return { directory, pod: { ...environment, serviceAccountDirectory: directory, env } };
}

const pathsOf = (options: Options): unknown => [
  options.apiUrl,
  options.authToken,
  options.authTokenPath,
  options.certificateAuthorityPath,
  options.namespacePath,
];

t.test('inside a pod the address, token, CA and namespace are those of its service account', async (t) => {
  const { directory, pod } = insidePod(t);
  const set = await loadOptions(pod);
  t.same(set.ok && pathsOf(set.options), [
    'https://[fd00::1]:6443',
    undefined,
    `${directory}/token`,
    `${directory}/ca.crt`,
    `${directory}/namespace`,
  ]);
});

t.test(
  'inside a pod the namespace can be another one; a token without api-url is ignored with a warning',
  async (t) => {
    const { directory, pod } = insidePod(t);
    const named = await loadOptions({ ...pod, argv: ['--kubernetes-namespace=own', '--auth-token-path=/mine'] });
    t.same(named.ok && pathsOf(named.options), [
      'https://[fd00::1]:6443',
      undefined,
      `${directory}/token`,
      `${directory}/ca.crt`,
      undefined,
    ]);
    t.same(named.warnings.map(describe), [
      "command line: auth-token-path: is ignored: without api-url, the address, token and CA of this pod's cluster are used",
    ]);
  },
);

t.test('inside a pod without its service account, errors say what to mount', async (t) => {
  const remedy =
    'let Kubernetes mount the service account into this pod: automountServiceAccountToken: true; or set api-url';
  const { directory, pod } = insidePod(t);
  const none = await loadOptions({ ...pod, serviceAccountDirectory: `${directory}/none` });
  t.match(!none.ok && none.problems, [{ option: 'api-url', remedy }]);
  const outside = { ...environment, env: { RSTUDIO_CONFIG_DIR: `${directory}/none` } };
  const elsewhere = await loadOptions(outside);
  t.match(!elsewhere.ok && elsewhere.problems, [{ option: 'api-url', remedy: undefined }]);
  const missing = { message: `${directory}/gone: does not exist -> ${remedy}` };
  const origins = new Map();
  t.throws(() => readTokenFile(`${directory}/gone`, { origins }), missing);
  const base = { certificateAuthority: undefined, namespacePath: undefined, origins, kubernetesNamespace: 'r' };
  t.throws(() => readClusterAccess({ ...base, certificateAuthorityPath: `${directory}/gone` }), missing);
});

t.test('inside a pod api-url leads to another cluster, and needs a token', async (t) => {
  const elsewhere = await loadOptions({ ...insidePod(t).pod, argv: ['--api-url=https://other'] });
  t.match(elsewhere, { ok: false });
  t.match(!elsewhere.ok && elsewhere.problems.map(({ option, message }) => [option, message]), [
    ['auth-token', 'is required with api-url, unless auth-token-path is set'],
  ]);
});

t.test('what is dangerous but allowed is a warning at each start', async (t) => {
  const { warnings } = await load(t, `api-url=http://10.0.0.1/api/c-1/\nauth-token=${JWT}\nverify-ssl-certs=0\n`);
  t.same(warnings, [
    `${CONF}:3: verify-ssl-certs: TLS certificates are not verified: an attacker on the network can read the token`,
    `${CONF}:1: api-url: is http: the token and all jobs are sent unencrypted`,
  ]);
  t.same((await load(t, `api-url=http://127.0.0.1:8001\nauth-token=${JWT}\n`)).warnings, []);
});
