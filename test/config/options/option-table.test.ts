/** Each option has the documented default, takes what it should, and refuses anything else with the line and the reason. */
import t from 'tap';
import { OPTION_NAMES } from '../../../src/config/options/option-table.ts';
import type { Options } from '../../../src/config/options/options.ts';
import { CONF, load } from './reading.ts';
import { JWT, REACH } from './samples.ts';

t.test('the smallest file: everything else has the documented default', async (t) => {
  const { options, problems, warnings } = await load(t, REACH);
  t.same(problems, []);
  t.same(warnings, []);
  const {
    configFile,
    logging,
    profileConfig,
    resourceProfileConfig,
    writtenInFile,
    origins,
    changeableThrough: _,
    ...rest
  } = options as Options;
  t.same(rest, {
    serverUser: 'rstudio-server',
    threadPoolSize: 8,
    enableDebugLogging: false,
    logLevel: 'WARNING',
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
    templatePath: '/var/lib/rstudio-launcher/kubernetes',
    httpsProxy: undefined,
    noProxy: [],
    strictFiles: false,
  });
  t.same(logging, { variables: new Map(), file: `${t.testdirName}/logging.conf`, isNamed: false });
  t.equal(configFile, `${t.testdirName}/launcher.kubernetes.conf`);
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
  'http://p?x': 'http://p?...',
  'http://user:50%off@proxy:3128': 'http://...@proxy:3128',
  'http://%ff@proxy:3128': 'http://...@proxy:3128',
};

t.test('each option: a good value, and bad ones with what is said', async (t) => {
  const whole = 'must be a whole number';
  const bool = 'must be 1 or 0 (also true, false, yes, no, on, off)';
  const path = 'must be an absolute path';
  const user = 'must be the name of a user other than root';
  const proxy =
    'must be an http or https URL without path, query and fragment, with user and password percent-encoded (% is %25), such as http://proxy.example:3128';
  const exception =
    'must be a comma-separated list, each a host, .domain, IP address, CIDR block or *, without scheme and port';
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
    ['enable-debug-logging', 'YES', 'enableDebugLogging', true, { '2': bool, ja: bool }],
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
        'https://h:6443/api': 'must be the URL without /api: https://h:6443',
        'https://h:6443/api/v1/': 'must be the URL without /api: https://h:6443',
        'http://h/k8s/c-1/apis': 'must be the URL without /api: http://h/k8s/c-1',
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
    ['use-templating', '1', 'useTemplating', true, { always: bool }],
    ['template-path', '/t', 'templatePath', '/t', { t: path }],
    [
      'https-proxy',
      'HTTP://proxy.example:3128',
      'httpsProxy',
      'http://proxy.example:3128/',
      {
        'proxy.example:3128': proxy,
        'ftp://p': proxy,
        'http://p/x': proxy,
        'http://p?x': proxy,
        'http://user:50%off@proxy:3128': proxy,
        'http://%ff@proxy:3128': proxy,
      },
    ],
    [
      'no-proxy',
      '.Example.org, my_host-1,*,10.0.0.1, 10.0.0.0/32,fd00::/128,[fd00::1]',
      'noProxy',
      ['.example.org', 'my_host-1', '*', '10.0.0.1', '10.0.0.0/32', 'fd00::/128', '[fd00::1]'],
      {
        'a b': `${exception}; "a b" is not`,
        '*.corp.example': `${exception}; "*.corp.example" is not`,
        'host:6443': `${exception}; "host:6443" is not`,
        'https://x': `${exception}; "https://x" is not`,
        '10.0.0.0/33': `${exception}; "10.0.0.0/33" is not`,
        'fd00::/129': `${exception}; "fd00::/129" is not`,
        '10.0.0.0/x': `${exception}; "10.0.0.0/x" is not`,
        '10.0.0.0/': `${exception}; "10.0.0.0/" is not`,
        '10.0.0.0/8/8': `${exception}; "10.0.0.0/8/8" is not`,
        '[fd00::]/16': `${exception}; "[fd00::]/16" is not`,
        'a.example/8': `${exception}; "a.example/8" is not`,
        '10.0': `${exception}; "10.0" is not`,
        '10.0.0.256': `${exception}; "10.0.0.256" is not`,
        'a..b': `${exception}; "a..b" is not`,
      },
    ],
    ['strict-files', 'on', 'strictFiles', true, { '2': bool }],
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
      const shown = option === 'api-url' || option === 'https-proxy' ? (ECHOED[wrong] ?? wrong) : wrong;
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
