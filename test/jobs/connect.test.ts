/** A failure on the way to the cluster names the option that it concerns, and where that is written. */
import t from 'tap';
import type { Options } from '../../src/config/options/options.ts';
import { locatingLog, tlsPlace } from '../../src/jobs/connect.ts';
import { KubernetesError, type KubernetesErrorCode } from '../../src/kubernetes/kubernetes-error.ts';
import { recordingLog } from '../kubernetes/server.ts';

const file = '/etc/rstudio/launcher.kubernetes.conf';
const written = (...options: readonly string[]) =>
  new Map(options.map((option, index) => [option, { file, line: index + 1 }])) as Options['origins'];
const RIGHT = 'jobs.batch is forbidden: User "system:serviceaccount:r:x" cannot list resource "jobs"';

t.test('what fails on the way to the cluster is logged with the option that it concerns', async (t) => {
  const all = written('api-url', 'auth-token', 'certificate-authority', 'kubernetes-namespace', 'https-proxy');
  const rows: readonly (readonly [KubernetesErrorCode, reason: string, text: string, option: string | undefined])[] = [
    ['unauthorized', '', 'Unauthorized', `${file}:2: auth-token`],
    ['tls', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'x', `${file}:3: certificate-authority`],
    ['tls', 'ERR_TLS_CERT_ALTNAME_INVALID', 'x', `${file}:1: api-url`],
    ['tls', 'CERT_HAS_EXPIRED', 'x', `${file}:1: api-url`],
    ['tls', 'CERT_NOT_YET_VALID', 'x', `${file}:1: api-url`],
    ['forbidden', 'Forbidden', RIGHT, `${file}:4: kubernetes-namespace; ${file}:2: auth-token`],
    ['forbidden', 'Forbidden', 'exceeded quota: q', undefined],
    ['redirected', '', 'x', `${file}:1: api-url`],
    ['bad-answer', '', 'x', `${file}:1: api-url`],
    ['bad-answer', 'AnswerTooLong', 'x', undefined],
    ['unreachable', 'proxy-refused', 'x', `${file}:5: https-proxy`],
    ['unreachable', 'ECONNREFUSED', 'x', undefined],
  ];
  for (const [code, reason, text, option] of rows) {
    const log = recordingLog();
    const error = new KubernetesError({ code, method: 'GET', path: '/x', reason, text });
    locatingLog(log, { authTokenPath: undefined, certificateAuthorityPath: undefined, origins: all }).notice(
      'Trouble',
      { error },
      'WARNING',
    );
    t.strictSame(log.lines[0]?.fields, option === undefined ? { error } : { error, option }, `${code} ${reason}`);
  }
});

t.test('a token in a file, an issuer where none was named, and lines without an error', async (t) => {
  const log = recordingLog();
  const located = locatingLog(log, {
    authTokenPath: '/t',
    certificateAuthorityPath: undefined,
    origins: written('api-url', 'auth-token-path'),
  });
  const failure = (code: KubernetesErrorCode, reason: string): KubernetesError =>
    new KubernetesError({ code, method: 'GET', path: '/x', reason, text: 'x' });
  located.warning('a', { error: failure('credentials', '') });
  located.error('b', { error: failure('tls', 'SELF_SIGNED_CERT_IN_CHAIN') });
  located.info('c', { error: new Error('d') });
  located.debug('e');
  t.strictSame(
    log.lines.map(({ level, fields }) => [level, fields?.['option']]),
    [
      ['WARNING', `${file}:2: auth-token-path: /t`],
      ['ERROR', `${file}:1: api-url`],
      ['INFO', undefined],
      ['DEBUG', undefined],
    ],
  );
});

t.test('in a pod, where no option names the CA, an unknown issuer concerns its file', async (t) => {
  const pod = { authTokenPath: '/sa/token', certificateAuthorityPath: '/sa/ca.crt', origins: written() };
  t.equal(tlsPlace('UNABLE_TO_GET_ISSUER_CERT_LOCALLY', pod), '/sa/ca.crt');
  t.equal(tlsPlace('CERT_HAS_EXPIRED', pod), 'api-url');
  t.equal(
    tlsPlace('SELF_SIGNED_CERT_IN_CHAIN', { ...pod, origins: written('certificate-authority') }),
    `${file}:1: certificate-authority`,
  );
});
