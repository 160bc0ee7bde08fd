/** Why a job waits, or could not start, is told in words for the person whose job it is. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { type EventView, projectEvent, projectJob, projectPod } from '../../../src/jobs/view/projection.ts';
import {
  duration,
  eventReason,
  isInformative,
  pendingReason,
  pullCause,
  startFailure,
  waitingReason,
} from '../../../src/jobs/view/reasons.ts';
import { START } from './state-cases.ts';

const FIXTURES = new URL('../../../fixtures/recordings/', import.meta.url);
function recorded<T, P>(path: string, project: (object: T) => P): P[] {
  return readFileSync(new URL(path, FIXTURES), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).event)
    .filter(({ type }) => type !== 'BOOKMARK')
    .map(({ object }) => project(object));
}

t.test('what a pending job waits for, in the words of recorded clusters', async (t) => {
  const waits = (scenario: string, name: string): string[] => {
    const jobs = recorded(`${scenario}/watch-jobs.jsonl`, projectJob).filter((view) => view.name === name);
    const uid = jobs[0]?.uid;
    const pods = recorded(`${scenario}/watch-pods.jsonl`, projectPod).filter((view) => view.jobUid === uid);
    const events = recorded(`${scenario}/watch-events.jsonl`, projectEvent);
    const warnings = events.filter(
      (event) => event.warning && event.reason !== 'BackoffLimitExceeded' && isInformative(event),
    );
    const none = { warning: undefined, pulling: undefined, createWarning: '' };
    const [first] = jobs;
    if (first === undefined) return [];
    const reasons = [
      ...pods.filter((view) => view.deletion === undefined).map((view) => pendingReason(first, view, none)),
      ...warnings
        .filter(({ subject }) => subject === uid)
        .map((warning) => pendingReason(first, undefined, { ...none, warning })),
      ...warnings
        .filter(({ subject }) => subject === pods[0]?.uid)
        .map((warning) => pendingReason(first, pods[0], { ...none, warning })),
    ];
    return [...new Set(reasons)].filter((reason) => reason !== '');
  };
  t.strictSame(waits('04-image', 's04-never'), [
    'Container image "localhost/nothere:1" is not present with pull policy of Never',
  ]);
  t.match(waits('04-image', 's04-inval')[0], /^image .* is not a valid image name$/);
  t.match(waits('04-image', 's04-unreach')[0], /^image 10\.250\.0\.1:5999\/a\/b:1 cannot be pulled: /);
  t.match(waits('05-unschedulable', 's05-cpu')[0], /^0\/1 nodes are available: 1 Insufficient cpu\./);
  t.match(waits('06-config-errors', 's06-secret')[0], /^secret "s06-nope" not found$/);
  t.match(waits('06-config-errors', 's06-cm'), [
    /MountVolume.SetUp failed for volume "v" : configmap "nope" not found/,
  ]);
  t.match(waits('06-config-errors', 's06-sa')[0], /^error looking up service account rstudio\/.*not found$/);
  t.match(waits('14-quota-limitrange', 's14-two'), [
    /^quota exceeded: .*requested: pods=1, used: pods=1, limited: pods=1$/,
  ]);
  t.match(waits('14-quota-limitrange', 's14-big'), [/maximum cpu usage per Container is 1, but limit is 4/]);
  t.match(waits('32-init-containers', 's32-image')[0], /^image .* cannot be pulled: /);
});

t.test('words', async (t) => {
  const waiting = (reason: string, message: string): string =>
    waitingReason({ name: 'c', image: 'r-session:9.9', waiting: { reason, message } });
  t.equal(
    waiting(
      'ImagePullBackOff',
      'Back-off pulling image "r-session:9.9": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/r-session:9.9": failed to resolve reference "docker.io/library/r-session:9.9": docker.io/library/r-session:9.9: not found',
    ),
    'image r-session:9.9 cannot be pulled: not found in registry',
  );
  t.equal(waiting('ErrImagePull', 'pull QPS exceeded'), 'image r-session:9.9 cannot be pulled: pull QPS exceeded');
  t.equal(waiting('ContainerCreating', ''), '');
  t.equal(waiting('RunContainerError', 'no such device'), 'RunContainerError: no such device');
  t.equal(waiting('Strange', ''), 'Strange');
  t.match(pullCause('failed to authorize: 401 Unauthorized'), /^no access: /);
  t.equal(
    pullCause('failed to do request: Head "https://r": dial tcp: timeout'),
    'Head "https://r": dial tcp: timeout',
  );
  t.equal(
    startFailure(
      'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/no/such/exe": stat /no/such/exe: no such file or directory',
    ),
    'exec: "/no/such/exe": no such file or directory',
  );
  t.equal(startFailure('exec format error'), 'exec format error');
  const event = (reason: string, message: string): EventView => ({
    uid: 'e',
    name: 'e',
    resourceVersion: '1',
    subject: projectEvent({ metadata: {}, involvedObject: { uid: 'p' } }).subject,
    warning: true,
    reason,
    message,
    at: START,
  });
  t.equal(eventReason(event('FailedMount', '')), 'FailedMount');
  t.equal(
    eventReason(event('Failed', 'Failed to pull image "a:1": rpc error: a:1: not found')),
    'image a:1 cannot be pulled: not found in registry',
  );
  t.equal(duration(90), '1 minute 30 seconds');
  t.equal(duration(0), '0 seconds');
  t.equal(duration(90_061), '1 day 1 hour 1 minute 1 second');
});

t.test('a back-off without a cause keeps the cause of the pull before it', async (t) => {
  const waiting = (reason: string, message: string) => ({ name: 'c', image: 'r:9', waiting: { reason, message } });
  const first = waitingReason(waiting('ErrImagePull', 'rpc error: r:9: not found'));
  t.equal(first, 'image r:9 cannot be pulled: not found in registry');
  const backOff = waiting('ImagePullBackOff', 'Back-off pulling image "r:9"');
  t.equal(waitingReason(backOff, first), first);
  t.equal(waitingReason(backOff), 'image r:9 cannot be pulled: ImagePullBackOff');
});
