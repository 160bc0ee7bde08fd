/** One conversation, with ids and times masked, to be compared between runtimes. */
import type { Frame, Launcher } from '../support/launcher.ts';
import { LauncherError } from '../support/launcher.ts';

const TERMINAL = new Set(['Finished', 'Failed', 'Killed', 'Canceled']);

/** Steps of a conversation and what came of each, without what differs from one time to the next. */
export type Transcript = readonly (readonly [step: string, outcome: unknown])[];

/** Holds one conversation as `user`: a job that ends by itself, one that is stopped, questions, and mistakes. */
export async function holdConversation(launcher: Launcher, user: string): Promise<Transcript> {
  const transcript: [string, unknown][] = [];
  const ids: string[] = [];
  const record = async (step: string, doing: Promise<unknown>): Promise<void> => {
    const outcome = await doing.catch((error: unknown) => {
      if (error instanceof LauncherError) return error.message;
      throw error;
    });
    transcript.push([step, mask(outcome, user, ids)]);
  };
  const submit = async (job: Readonly<Record<string, unknown>>): Promise<string> => {
    const submitted = await launcher.submit(user, { container: { image: 'busybox' }, ...job });
    ids.push(submitted.id);
    // How far the cluster is by the time of the answer is a matter of chance.
    const { host, statusMessage, statusCode, ...lasting } = submitted;
    transcript.push([`submit ${job['name']}`, mask(lasting, user, ids)]);
    return submitted.id;
  };
  const ask = (messageType: number, fields: Record<string, unknown>): Promise<Frame> =>
    launcher.request(messageType, fields);

  await record('bootstrap', launcher.bootstrap());
  const first = await submit({
    name: 'twin',
    command: 'echo "$GREETING"; printf "no newline \\303\\251"; exit 3',
    environment: [{ name: 'GREETING', value: 'grüezi' }],
    tags: ['twins'],
    resourceLimits: [{ type: 'cpuCount', value: '0.5' }],
  });
  await record(
    'states',
    states(launcher, user, first, (state) => TERMINAL.has(state)),
  );
  await record('output', output(launcher, user, first));
  await record('job', launcher.job(user, first));
  await record('jobs by tag', launcher.jobs(user, { tags: ['twins'], fields: ['id', 'status', 'exitCode'] }));
  await record('stop what has ended', launcher.control(user, first, 'stop'));

  const second = await submit({ name: 'session', exe: '/bin/sh', args: ['-c', 'while :; do sleep 0.1; done'] });
  await record(
    'states until Running',
    states(launcher, user, second, (state) => state === 'Running'),
  );
  await record('cancel what runs', launcher.control(user, second, 'cancel'));
  await record('stop', launcher.control(user, second, 'stop'));
  await record(
    'states until Finished',
    states(launcher, user, second, (state) => state === 'Finished').then((seen) => seen.at(-1)),
  );
  await record('stopped job', launcher.job(user, second));

  await record('cluster info', launcher.clusterInfo(user));
  await record('reload', ask(202, { generation: 7, inheritedSettings: { jobExpiryHours: 0.5 } }));
  await record('load-balancer nodes', ask(201, { nodes: [] }));
  await record('unknown message', ask(99, { username: user }));
  await record('unknown job', launcher.job(user, 'no-such-job'));
  await record('a job without image', launcher.submit(user, { name: 'x', command: 'true' }));
  await record('a job for another user', launcher.submit(user, { name: 'x', user: 'other', command: 'true' }));
  await record('no username', ask(3, { jobId: '*' }));
  return transcript;
}

function states(
  launcher: Launcher,
  user: string,
  id: string,
  isLast: (state: string) => boolean,
): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const seen: string[] = [];
    const deadline = setTimeout(() => reject(new Error(`only saw ${seen}`)), 30_000);
    const stream = launcher.status(
      user,
      id,
      ({ status }) => {
        if (seen.at(-1) !== status) seen.push(status);
        if (!isLast(status)) return;
        clearTimeout(deadline);
        stream.cancel();
        resolve(seen);
      },
      reject,
    );
  });
}

async function output(launcher: Launcher, user: string, id: string): Promise<string> {
  let text = '';
  await launcher.output(user, id, (piece) => {
    text += piece;
  }).completed;
  return text;
}

function mask(value: unknown, user: string, ids: readonly string[]): unknown {
  let text = JSON.stringify(value)
    .replaceAll(user, 'USER')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replaceAll(/"(requestId|responseId)":\d+/g, '"$1":0');
  ids.forEach((id, index) => {
    text = text.replaceAll(id, `JOB-${index}`);
  });
  return JSON.parse(text);
}
