import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { OPTION_NAMES } from '../../src/config/option-table.ts';
import { loadOptions, type Options, type Surroundings } from '../../src/config/options.ts';
import { describe } from '../../src/config/problem.ts';
import { CA, JWT } from './samples.ts';

// Files that their group may write are refused.
process.umask(0o022);

const surroundings: Surroundings = {
  argv: [],
  env: {},
  uid: process.getuid?.() ?? -1,
  cpus: 4,
  findUser: async () => ({ uid: 998, gid: 998 }),
  serviceAccountDirectory: '/nonexistent',
};

/** Loads the options from this text, whose file is called CONF in what comes back. */
async function load(
  test: Test,
  text: string,
  more: Partial<Surroundings> = {},
): Promise<{ options: Options | undefined; problems: string[]; warnings: string[] }> {
  const directory = test.testdir({ 'launcher.kubernetes.conf': text });
  const file = `${directory}/launcher.kubernetes.conf`;
  chmodSync(file, 0o600);
  const loaded = await loadOptions({ ...surroundings, env: { RSTUDIO_CONFIG_DIR: directory }, ...more });
  const shown = (found: Parameters<typeof describe>[0]): string => describe(found).replaceAll(directory, 'DIR');
  return {
    options: loaded.ok ? loaded.options : undefined,
    problems: loaded.ok ? [] : loaded.problems.map(shown),
    warnings: loaded.warnings.map(shown),
  };
}

const REACH = `api-url=https://10.0.0.1:6443\nauth-token=${JWT}\n`;
const CONF = 'DIR/launcher.kubernetes.conf';

t.test('the smallest file: everything else has the documented default', async (t) => {
  const { options, problems, warnings } = await load(t, REACH);
  t.same(problems, []);
  t.same(warnings, []);
  const { configFile, configDirectory, profileConfig, resourceProfileConfig, writtenInFile, origins, ...rest } =
    options as Options;
  t.same(rest, {
    serverUser: 'rstudio-server',
    threadPoolSize: 8,
    enableDebugLogging: false,
    logLevel: 'WARNING',
    baseLogLevel: 'WARNING',
    logFormat: 'text',
    loggingDir: '/var/log/rstudio/launcher',
    scratchPath: '/var/lib/rstudio-launcher/kubernetes',
    jobExpiryHours: 24,
    apiUrl: 'https://10.0.0.1:6443',
    authToken: JWT,
    authTokenPath: undefined,
    kubernetesNamespace: 'rstudio',
    namespacePath: undefined,
    verifySslCerts: true,
    certificateAuthority: undefined,
    certificateAuthorityPath: undefined,
    watchTimeoutSeconds: 300,
    fetchLimit: 500,
    requestTimeoutSeconds: 30,
    serviceType: 'NodePort',
    shareProcessNamespace: true,
    pendingTimeoutSeconds: 0,
    unknownOptions: 'refuse',
    killMethod: 'auto',
    resourcePollSeconds: 5,
    heartbeatIntervalSeconds: 5,
    pluginMetricsIntervalSeconds: 60,
    maxMessageSize: 5242880,
    pluginName: 'kubernetes',
    launcherConfigFile: undefined,
    unprivileged: false,
    rsandboxPath: undefined,
    useTemplating: false,
  });
  t.equal(configFile, `${t.testdirName}/launcher.kubernetes.conf`);
  t.equal(configDirectory, t.testdirName);
  t.equal(profileConfig, `${t.testdirName}/launcher.kubernetes.profiles.conf`);
  t.equal(resourceProfileConfig, `${t.testdirName}/launcher.kubernetes.resources.conf`);
  t.same([...writtenInFile], ['api-url', 'auth-token']);
  t.same(
    [...origins],
    [
      ['api-url', { file: configFile, line: 1 }],
      ['auth-token', { file: configFile, line: 2 }],
    ],
  );
});

/** What is shown of URLs that hold what must not be shown. */
const ECHOED: Record<string, string> = {
  'https://u:p@h': 'https://...@h',
  'https:/u:p@h': '...@h',
  'u:p@h:6443': '...@h:6443',
  'https://h?x': 'https://h?...',
  'https://h#f': 'https://h?...',
};

t.test('each option: a good value, and bad ones with what is said', async (t) => {
  const whole = 'must be a whole number';
  const bool = 'must be 1 or 0 (also true, false, yes, no, on, off)';
  const path = 'must be an absolute path';
  const user = 'must be the name of a user other than root';
  const url = 'must be an http or https URL without user info, query and fragment, such as https://10.0.0.1:6443';
  const rows: [option: string, text: string, member: string, value: unknown, bad: Record<string, string>][] = [
    ['server-user', 'rs', 'serverUser', 'rs', { root: user, '0': user, '+0': user, 'a b': user, 'a:b': user }],
    [
      'thread-pool-size',
      '16',
      'threadPoolSize',
      16,
      { '-1': `${whole} from 0 to 1024`, '1.5': `${whole} from 0 to 1024` },
    ],
    ['thread-pool-size', '0', 'threadPoolSize', 8, { '1025': `${whole} from 0 to 1024` }],
    ['enable-debug-logging', 'YES', 'logLevel', 'DEBUG', { '2': bool, ja: bool }],
    ['log-level', 'info', 'logLevel', 'INFO', { TRACE: 'must be one of OFF, ERROR, WARNING, INFO, DEBUG, or 0 to 4' }],
    ['log-level', '4', 'logLevel', 'DEBUG', { '5': 'must be one of OFF, ERROR, WARNING, INFO, DEBUG, or 0 to 4' }],
    ['log-format', 'json', 'logFormat', 'json', { xml: 'must be one of text, json' }],
    ['logging-dir', '/l', 'loggingDir', '/l', { 'log/here': path }],
    ['scratch-path', '/s p', 'scratchPath', '/s p', { '~/x': path }],
    [
      'job-expiry-hours',
      '0.100000001',
      'jobExpiryHours',
      0.100000001,
      {
        '-1': 'must be a number such as 0.5 or 1e-3 from 0 to 87600',
        NaN: 'must be a number such as 0.5 or 1e-3 from 0 to 87600',
      },
    ],
    [
      'job-expiry-hours',
      '1e-3',
      'jobExpiryHours',
      0.001,
      { '87601': 'must be a number such as 0.5 or 1e-3 from 0 to 87600' },
    ],
    ['profile-config', '/p', 'profileConfig', '/p', { p: path }],
    ['resource-profile-config', '/r', 'resourceProfileConfig', '/r', { r: path }],
    [
      'api-url',
      'https://[::1]:6443/k8s/clusters/c-1/',
      'apiUrl',
      'https://[::1]:6443/k8s/clusters/c-1',
      {
        'ftp://h': url,
        'https://u:p@h': url,
        'https:/u:p@h': url,
        'u:p@h:6443': url,
        'https://h?x': url,
        'https://h#f': url,
        h: url,
        'https://': url,
        'https://h:6443/api': 'must be up to, not including, /api: https://h:6443',
        'https://h:6443/api/v1/': 'must be up to, not including, /api: https://h:6443',
        'http://h/k8s/c-1/apis': 'must be up to, not including, /api: http://h/k8s/c-1',
      },
    ],
    ['auth-token-path', '/t', 'authTokenPath', '/t', { t: path }],
    [
      'kubernetes-namespace',
      'team-1',
      'kubernetesNamespace',
      'team-1',
      { Team_1: 'must be a DNS label (lower-case letters, digits and -, at most 63 characters)' },
    ],
    ['verify-ssl-certs', 'off', 'verifySslCerts', false, { never: bool }],
    ['certificate-authority', '/etc/ca.pem', 'certificateAuthorityPath', '/etc/ca.pem', {}],
    [
      'watch-timeout-seconds',
      '0',
      'watchTimeoutSeconds',
      0,
      { '1e3': `${whole} from 0 to 2147483`, '2147484': `${whole} from 0 to 2147483` },
    ],
    ['fetch-limit', '0', 'fetchLimit', 0, { '0x1': `${whole} from 0 to 1000000` }],
    ['request-timeout-seconds', '60', 'requestTimeoutSeconds', 60, { '0': `${whole} from 1 to 2147483` }],
    [
      'service-type',
      'ClusterIP',
      'serviceType',
      'ClusterIP',
      { clusterip: 'must be one of NodePort, ClusterIP, LoadBalancer' },
    ],
    ['share-process-namespace', '0', 'shareProcessNamespace', false, { nein: bool }],
    ['pending-timeout-seconds', '90', 'pendingTimeoutSeconds', 90, { '1,5': `${whole} from 0 to 2147483` }],
    ['unknown-options', 'warn', 'unknownOptions', 'warn', { ignore: 'must be one of refuse, warn' }],
    ['kill-method', 'delete', 'killMethod', 'delete', { exec: 'must be one of auto, delete' }],
    ['resource-poll-seconds', '15', 'resourcePollSeconds', 15, { '0': `${whole} from 1 to 2147483` }],
    ['heartbeat-interval-seconds', '0', 'heartbeatIntervalSeconds', 0, { '+1': `${whole} from 0 to 2147483` }],
    ['plugin-metrics-interval-seconds', '0', 'pluginMetricsIntervalSeconds', 0, { x: `${whole} from 0 to 2147483` }],
    ['max-message-size', '1048576', 'maxMessageSize', 1048576, { '12': `${whole} from 1024 to 536870000` }],
    [
      'plugin-name',
      'Edge.1',
      'pluginName',
      'edge.1',
      { '../x': 'must be a name of letters, digits, ., _ and - that begins with a letter or digit' },
    ],
    ['launcher-config-file', '/etc/x', 'launcherConfigFile', '/etc/x', {}],
    ['unprivileged', '1', 'unprivileged', true, { '': '' }],
    ['rsandbox-path', '/usr/x', 'rsandboxPath', '/usr/x', {}],
    [
      'use-templating',
      '0',
      'useTemplating',
      false,
      {
        '1': 'must be 0: templates of the first-party plugin are not read; use job-json-overrides and the keys of the profiles file instead',
      },
    ],
  ];
  const fileFor = (option: string, text: string): string =>
    `${REACH.split('\n')
      .filter((line) => !line.startsWith(`${option}=`))
      .join('\n')}${option}=${text}\n`;
  for (const [option, text, member, value, bad] of rows) {
    const { options, problems } = await load(t, fileFor(option, text));
    t.same(problems, [], `${option}=${text}`);
    t.same(options?.[member as keyof Options], value, `${option}=${text}`);
    for (const [wrong, said] of Object.entries(bad)) {
      const line = option === 'api-url' ? 2 : 3;
      const shown = option === 'api-url' ? (ECHOED[wrong] ?? wrong) : wrong;
      const expected = said === '' ? [] : [`${CONF}:${line}: ${option}: "${shown}" ${said}`];
      const seen = (await load(t, fileFor(option, wrong))).problems;
      t.same(
        seen.filter((each) => !each.includes('is required')),
        expected,
        `${option}=${wrong}`,
      );
    }
  }
  const seen = new Set(rows.map(([option]) => option));
  t.same(
    OPTION_NAMES.filter((name) => !seen.has(name)),
    ['auth-token', 'config-file'],
    'tested elsewhere',
  );
});

t.test('all problems of a file at once, with line, option and what was probably meant', async (t) => {
  const { problems } = await load(
    t,
    [
      '\uFEFF# launcher',
      'apiurl=https://x',
      'api-url=https://10.0.0.1:6443\r',
      'fetch-limit=abc # a comment',
      'fetch-limit=3',
      'auth-token',
      '[section]',
      'x = 1',
      'config-file=/x',
      `${Buffer.from(JWT).toString('base64')}=secret`,
    ].join('\n'),
  );
  t.same(problems, [
    `${CONF}:5: fetch-limit: is already set on line 4`,
    `${CONF}:6: must be name=value, a [section], or a comment that begins with # or ;`,
    `${CONF}:7: the options file has no sections`,
    `${CONF}:9: config-file: is accepted on the command line only`,
    `${CONF}:2: apiurl: is not an option of this plugin (did you mean "api-url"?)`,
    `${CONF}:8: x: is not an option of this plugin`,
    `${CONF}:10: is not an option of this plugin`,
    `${CONF}:4: fetch-limit: "abc" must be a whole number from 0 to 1000000`,
    `${CONF}: auth-token: is required with api-url, or else auth-token-path`,
  ]);
});

t.test('unknown-options=warn starts with a file of a newer plugin', async (t) => {
  const { options, warnings } = await load(t, `${REACH}unknown-options=warn\nfech-limit=3\nnew-thing=1\n`);
  t.equal(options?.fetchLimit, 500);
  t.same(warnings, [
    `${CONF}:4: fech-limit: is not an option of this plugin (did you mean "fetch-limit"?)`,
    `${CONF}:5: new-thing: is not an option of this plugin`,
  ]);
});

t.test('the file beats the command line, also with an empty value, which is the default', async (t) => {
  const argv = ['--heartbeat-interval-seconds=0', '--job-expiry-hours', '3', '--enable-debug-logging=1'];
  const { options } = await load(t, `${REACH}heartbeat-interval-seconds=7\njob-expiry-hours=\n`, { argv });
  t.equal(options?.heartbeatIntervalSeconds, 7);
  t.equal(options?.jobExpiryHours, 24);
  t.equal(options?.logLevel, 'DEBUG');
  t.ok(options?.writtenInFile.has('job-expiry-hours'));
  t.notOk(options?.writtenInFile.has('enable-debug-logging'));
});

t.test('command line: both forms, prefixes, and what is wrong with it', async (t) => {
  const good = parseCommandLine([
    '--heart=1',
    '--plugin-name',
    'k2',
    '--new-option',
    'x',
    '--newer=secret',
    '-v',
    '--unpriv=1',
  ]);
  t.same(
    [...good.values],
    [
      ['heartbeat-interval-seconds', '1'],
      ['plugin-name', 'k2'],
      ['unprivileged', '1'],
    ],
  );
  t.same(good.problems, []);
  t.same(good.warnings.map(describe), [
    'command line: new-option: is not known and is ignored',
    'command line: newer: is not known and is ignored',
    'command line: v: is not known and is ignored',
  ]);
  const bad = parseCommandLine([
    '--plugin=x',
    'stray',
    '--log-level',
    '--fetch-limit=1',
    '--fetch-limit=2',
    '--auth-token=SECRET',
    '--auth-tok=SECRET',
  ]);
  t.same(bad.problems.map(describe), [
    'command line: plugin: is short for more than one option: plugin-metrics-interval-seconds, plugin-name',
    'command line: "stray" belongs to no option',
    'command line: log-level: needs a value: --log-level=value',
    'command line: fetch-limit: is given twice',
    'command line: auth-token: is accepted in the options file only: everybody can read a command line',
    'command line: auth-tok: is short for more than one option: auth-token, auth-token-path',
  ]);
});

t.test('auth-token: JWT, base64 of a token, plain; never shown', async (t) => {
  const token = async (text: string): Promise<unknown> =>
    (await load(t, `api-url=https://h\nauth-token=${text}\n`)).options?.authToken;
  t.equal(await token(JWT), JWT);
  t.equal(await token(Buffer.from(JWT).toString('base64')), JWT);
  t.equal(await token('abcdef0123456789.notajwt'), 'abcdef0123456789.notajwt');
  t.equal(await token('aGVsbG8gd29ybGQ='), 'aGVsbG8gd29ybGQ=', 'base64 of text with a blank is a token itself');
  t.equal(await token('aGVsbG8'), 'aGVsbG8', 'base64 without padding is not strict');
  t.equal(await token('/////w=='), '/////w==', 'base64 of other bytes is a token itself');
  const { problems } = await load(t, 'api-url=https://h\nauth-token=SECRET SECRET\n');
  t.same(problems, [
    `${CONF}:2: auth-token: must be a token: printable characters without blanks (its value is not shown)`,
  ]);
  const both = await load(t, `${REACH}auth-token-path=/t\n`);
  t.same([both.options?.authToken, both.options?.authTokenPath], [undefined, '/t']);
  t.same(both.warnings, [`${CONF}:2: auth-token: is not used: auth-token-path is set`]);
});

t.test('a token in the wrong place is not shown either', async (t) => {
  const rows: (readonly [text: string, problem: string])[] = [
    [`${REACH}auth-token-path=${JWT}`, `${CONF}:3: auth-token-path: "***" must be an absolute path`],
    [
      `${REACH}auth-token-path=${Buffer.from(JWT).toString('base64')}`,
      `${CONF}:3: auth-token-path: "***" must be an absolute path`,
    ],
    [`${REACH}scratch-path=${JWT.slice(0, 20)}`, `${CONF}:3: scratch-path: "***" must be an absolute path`],
    [`${REACH}log-format=x ${JWT}, y`, `${CONF}:3: log-format: "x ***, y" must be one of text, json`],
    [`${REACH}[${JWT}]\n[${JWT}]`, `${CONF}:4: section [***] is already on line 3`],
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
  for (const name of [
    'rstudio_production_2024_team1',
    'ec2-54-12-3.compute-1.amazonaws.com',
    'r/i@sha256:9f86d081884c7d',
  ])
    rows.push([`${REACH}log-format=${name}`, `${CONF}:3: log-format: "${name}" must be one of text, json`]);
  for (const [text, problem] of rows) t.equal((await load(t, `${text}\n`)).problems[0], problem);
  for (const text of ['auth-tokn=hunter2', 'auth_token=hunter2', 'tokn=hunter2', 'certificate-autority=hunter2']) {
    const { problems } = await load(t, `${REACH}${text}\n`);
    t.equal(problems.length, 1);
    t.notMatch(problems[0], 'hunter2', 'the value of a key that nobody knows');
    t.notMatch(parseCommandLine([`--${text}`]).warnings.map(describe), 'hunter2');
  }
  t.same(parseCommandLine(['auth-tokn=hunter2']).problems.map(describe), [
    'command line: "auth-tokn=..." belongs to no option',
  ]);
  const typed = parseCommandLine(['--auth-token=Bearer', JWT, `--auth-token${JWT}`, `--${JWT}`]);
  t.same([...typed.problems, ...typed.warnings].map(describe), [
    'command line: auth-token: is accepted in the options file only: everybody can read a command line',
    'command line: "***" belongs to no option',
    'command line: auth-token***: is not known and is ignored',
    'command line: ***: is not known and is ignored',
  ]);
});

t.test('certificate-authority: base64 or plain, with or without line breaks; refused with the reason', async (t) => {
  const ca = async (text: string): Promise<unknown> =>
    (await load(t, `${REACH}certificate-authority=${text}\n`)).options?.certificateAuthority;
  const base64 = Buffer.from(CA).toString('base64');
  t.equal(await ca(base64), CA);
  t.equal(await ca(base64.replace(/.{76}/g, '$& ')), CA);
  t.equal(await ca(Buffer.from(CA.replaceAll('\n', '')).toString('base64')), CA);
  t.equal(await ca(CA.replaceAll('\n', ' ')), CA);
  t.equal(await ca(`"${CA.replaceAll('\n', '\\n')}"`), undefined, 'decoded line breaks are control characters');
  t.equal(await ca(Buffer.from(CA + CA).toString('base64')), CA + CA, 'a bundle');
  const said = async (text: string): Promise<readonly string[]> =>
    (await load(t, `${REACH}certificate-authority=${text}\n`)).problems;
  const reason = `${CONF}:3: certificate-authority: must be base64 of a PEM certificate, a PEM certificate, or an absolute path to a PEM file: `;
  t.same(await said('nonsense'), [`${reason}no BEGIN CERTIFICATE was found in it`]);
  t.same(await said('-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----'), [
    `${reason}block 1 is not a certificate`,
  ]);
  t.same(await said('-----BEGIN PRIVATE KEY-----AAAA-----END PRIVATE KEY-----'), [
    `${reason}it holds a private key, which does not belong here`,
  ]);
});

t.test('where the options file is looked for', async (t) => {
  const root = t.testdir({
    own: { 'launcher.kubernetes.conf': REACH, 'launcher.edge.conf': `${REACH}plugin-name=far\n` },
    xdg2: { rstudio: { 'launcher.kubernetes.conf': REACH } },
    named: { 'my.conf': REACH },
  });
  const loaded = async (env: Record<string, string>, argv: string[] = []): Promise<string[]> => {
    const result = await loadOptions({ ...surroundings, env, argv });
    if (!result.ok) return result.problems.map((each) => describe(each).replaceAll(root, 'ROOT'));
    const { configFile, profileConfig, scratchPath } = result.options;
    return [configFile, profileConfig, scratchPath].map((each) => each.replaceAll(root, 'ROOT'));
  };
  t.same(await loaded({ RSTUDIO_CONFIG_DIR: `${root}/own/` }), [
    'ROOT/own/launcher.kubernetes.conf',
    'ROOT/own/launcher.kubernetes.profiles.conf',
    '/var/lib/rstudio-launcher/kubernetes',
  ]);
  t.same(await loaded({ XDG_CONFIG_DIRS: `${root}/xdg1:relative::${root}/xdg2` }), [
    'ROOT/xdg2/rstudio/launcher.kubernetes.conf',
    'ROOT/xdg2/rstudio/launcher.kubernetes.profiles.conf',
    '/var/lib/rstudio-launcher/kubernetes',
  ]);
  t.same(
    await loaded({ RSTUDIO_CONFIG_DIR: `${root}/own` }, [`--config-file=${root}/named/my.conf`, '--plugin-name=B']),
    ['ROOT/named/my.conf', 'ROOT/named/launcher.b.profiles.conf', '/var/lib/rstudio-launcher/b'],
  );
  t.same(
    await loaded({ RSTUDIO_CONFIG_DIR: `${root}/own` }, ['--plugin-name=Edge']),
    ['ROOT/own/launcher.edge.conf', 'ROOT/own/launcher.far.profiles.conf', '/var/lib/rstudio-launcher/far'],
    'the name on the command line finds the file, the one in the file then counts',
  );
  t.same(await loaded({ RSTUDIO_CONFIG_DIR: `${root}/none` }), [
    'ROOT/none/launcher.kubernetes.conf: api-url: is required outside a cluster; looked for an options file at ROOT/none/launcher.kubernetes.conf',
  ]);
  t.same(await loaded({}, [`--config-file=${root}/none.conf`]), ['ROOT/none.conf: config-file: there is no such file']);
  t.same(
    await loaded({ XDG_CONFIG_DIRS: `${root}/a:${root}/xdg2` }, ['--plugin-name=zz']),
    [
      'ROOT/xdg2/rstudio/launcher.zz.conf: api-url: is required outside a cluster; looked for an options file at ROOT/a/rstudio/launcher.zz.conf, ROOT/xdg2/rstudio/launcher.zz.conf',
    ],
    'every path tried',
  );
  t.same(await loaded({ RSTUDIO_CONFIG_DIR: 'own' }), [
    'environment: RSTUDIO_CONFIG_DIR: "own" must be an absolute path',
    'own/launcher.kubernetes.conf: api-url: is required outside a cluster; looked for an options file at own/launcher.kubernetes.conf',
  ]);
});

t.test('inside a cluster: address, token, CA and namespace come as a set, unless api-url is written', async (t) => {
  const serviceAccountDirectory = t.testdir({ token: 'x', 'ca.crt': 'x', namespace: 'x' });
  const inside = {
    serviceAccountDirectory,
    env: {
      RSTUDIO_CONFIG_DIR: `${serviceAccountDirectory}/none`,
      KUBERNETES_SERVICE_HOST: 'fd00::1',
      KUBERNETES_SERVICE_PORT: '6443',
    },
  };
  const pick = (options: Options): unknown => [
    options.apiUrl,
    options.authToken,
    options.authTokenPath,
    options.certificateAuthorityPath,
    options.namespacePath,
  ];
  const set = await loadOptions({ ...surroundings, ...inside });
  t.same(set.ok && pick(set.options), [
    'https://[fd00::1]:6443',
    undefined,
    `${serviceAccountDirectory}/token`,
    `${serviceAccountDirectory}/ca.crt`,
    `${serviceAccountDirectory}/namespace`,
  ]);
  const named = await loadOptions({
    ...surroundings,
    ...inside,
    argv: ['--kubernetes-namespace=own', '--auth-token-path=/mine'],
  });
  t.same(named.ok && pick(named.options), [
    'https://[fd00::1]:6443',
    undefined,
    `${serviceAccountDirectory}/token`,
    `${serviceAccountDirectory}/ca.crt`,
    undefined,
  ]);
  t.same(named.warnings.map(describe), [
    "command line: auth-token-path: is not used: without api-url the cluster's own address, token and CA are used",
  ]);
  const elsewhere = await loadOptions({ ...surroundings, ...inside, argv: ['--api-url=https://other'] });
  t.match(elsewhere, { ok: false });
  t.match(!elsewhere.ok && elsewhere.problems.map(({ option, message }) => [option, message]), [
    ['auth-token', 'is required with api-url, or else auth-token-path'],
  ]);
});

t.test('what is dangerous but allowed is a warning at each start', async (t) => {
  const { warnings } = await load(t, `api-url=http://10.0.0.1/api/c-1/\nauth-token=${JWT}\nverify-ssl-certs=0\n`);
  t.same(warnings, [
    `${CONF}:3: verify-ssl-certs: TLS certificates are not verified: anybody between can read tokens`,
    `${CONF}:1: api-url: is http: the token and all jobs can be read on the network`,
  ]);
  t.same((await load(t, `api-url=http://127.0.0.1:8001\nauth-token=${JWT}\n`)).warnings, []);
});

t.test('who may write the options file', async (t) => {
  const directory = t.testdir({ 'launcher.kubernetes.conf': REACH });
  const file = `${directory}/launcher.kubernetes.conf`;
  const attempt = async (mode: number, owner = surroundings.uid, group = 0): Promise<string[]> => {
    if (surroundings.uid === 0) chownSync(file, owner, group);
    chmodSync(file, mode);
    const loaded = await loadOptions({ ...surroundings, env: { RSTUDIO_CONFIG_DIR: directory } });
    return [...(loaded.ok ? [] : loaded.problems), ...loaded.warnings].map(({ message }) => message);
  };
  const only = 'it must be writable for root and the server user only';
  t.same(await attempt(0o640), []);
  t.same(await attempt(0o644), ['everybody on this host can read the file and the token in it']);
  t.same(await attempt(0o602), [`can be changed by everybody; ${only}`]);
  if (surroundings.uid === 0) {
    t.same(await attempt(0o600, 998, 998), []);
    t.same(await attempt(0o660, 0, 998), [], 'the group of the server user');
    t.same(await attempt(0o600, 1234), [`can be changed by its owner, user 1234; ${only}`]);
    t.same(await attempt(0o660, 1234, 5678), [`can be changed by its owner, user 1234 and group 5678; ${only}`]);
  }
  writeFileSync(file, Buffer.from([0x61, 0x3d, 0xff]));
  t.same(await attempt(0o600), ['is not UTF-8']);
  writeFileSync(file, 'a=\0');
  t.same(await attempt(0o600), ['holds a NUL byte']);
  writeFileSync(file, `#${'x'.repeat(1024 * 1024)}`);
  t.same(await attempt(0o600), ['is larger than 1 MiB']);
});
