/** Who owns a job and who is an administrator are served; for everybody else there is no such job. */
import t from 'tap';
import { type Launcher, type Message, startLauncher } from './harness.ts';

/** Every request that names a job, with the rule that it is about, and the message that shows that it was served. */
const REQUESTS: [string, Message, Message][] = [
  ['[users-get] get', { messageType: 3 }, { messageType: 2, jobs: [{ id: 'job-1' }] }],
  ['[users-status-stream] status stream', { messageType: 4 }, { messageType: 3, id: 'job-1', status: 'Running' }],
  ['[users-control] control', { messageType: 5, operation: 2 }, { messageType: 4, operationComplete: true }],
  ['[users-output-stream] output stream', { messageType: 6, cancel: false }, { messageType: 5, output: 'text' }],
  ['[users-resource-stream] resource stream', { messageType: 7, cancel: false }, { messageType: 6, cpuPercent: 5 }],
  ['[users-network] network', { messageType: 8 }, { messageType: 7, host: 'node-1' }],
];
const OTHERS = ['bob', 'Alice', 'alice2', 'root', '**', 'alice\0', '\ud800'];
const UNKNOWN_IDS = [
  '../secrets/x',
  'job-1/../job-1',
  '%2e%2e',
  'job-1\0',
  '__proto__',
  'constructor',
  '',
  'JOB-1',
  ' job-1',
];

async function withJobOfAlice(): Promise<Launcher> {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', user: 'alice', status: 'Running' });
  launcher.jobs.outputOf('job-1').push('text');
  launcher.jobs.usageOf('job-1').push({ cpuPercent: 5 });
  return launcher;
}

for (const [rule, request, served] of REQUESTS) {
  const ask = (launcher: Launcher, requestId: number, username: string, jobId: string) =>
    launcher.ask({ ...request, requestId, username, requestUsername: 'another', jobId, encodedJobId: '' });

  t.test(`${rule}: the owner and an administrator are served`, async (t) => {
    for (const username of ['alice', '*', ' alice\t']) {
      const launcher = await withJobOfAlice();
      t.match(await ask(launcher, 1, username, 'job-1'), [served], JSON.stringify(username));
      await launcher.end();
    }
  });

  t.test(`${rule}: for other users there is no such job`, async (t) => {
    const launcher = await withJobOfAlice();
    for (const other of OTHERS) {
      const answers = await ask(launcher, 4, other, 'job-1');
      t.match(answers, [{ messageType: -1, requestId: 4, responseId: 0, errorCode: 3 }], JSON.stringify(other));
      const [unknown] = await ask(launcher, 4, other, 'job-2');
      const text = (message: Message | undefined): string => String(message?.['errorMessage']).replace(/job-\d/g, 'ID');
      t.equal(text(answers[0]), text(unknown), 'the same as for a job that does not exist');
    }
    t.strictSame(launcher.jobs.calls, [], 'nothing was done');
    await launcher.end();
  });

  t.test(`${rule}: an id that is not known names no job, not even for an administrator`, async (t) => {
    const launcher = await withJobOfAlice();
    for (const id of UNKNOWN_IDS) {
      t.match(await ask(launcher, 5, '*', id), [{ messageType: -1, requestId: 5, errorCode: 3 }], JSON.stringify(id));
    }
    t.strictSame(launcher.jobs.calls, [], 'nothing was done');
    await launcher.end();
  });
}

t.test('[users-lists] lists and streams of all jobs hold what one may see', async (t) => {
  const launcher = await withJobOfAlice();
  launcher.jobs.put({ id: 'job-2', user: 'bob' });
  launcher.jobs.put({ id: 'job-3', user: '' });
  const ids = async (messageType: number, requestId: number, username: string): Promise<unknown[]> => {
    const messages = await launcher.ask({ messageType, requestId, username, jobId: '*' });
    return messages.flatMap(
      (message) => (message['jobs'] as { id: string }[] | undefined)?.map(({ id }) => id) ?? [message['id']],
    );
  };
  for (const [messageType, requestId] of [
    [3, 10],
    [4, 20],
  ] as const) {
    t.strictSame(await ids(messageType, requestId, 'alice'), ['job-1']);
    t.strictSame(await ids(messageType, requestId + 1, 'bob'), ['job-2']);
    t.strictSame(await ids(messageType, requestId + 2, 'carol'), []);
    t.strictSame(await ids(messageType, requestId + 3, '*'), ['job-1', 'job-2', 'job-3']);
  }
  launcher.jobs.put({ id: 'job-2', status: 'Running' });
  t.match(await launcher.received(), [{ id: 'job-2', sequences: [{ requestId: 21 }, { requestId: 23 }] }]);
  await launcher.end();
});

t.test(
  '[submit-owner] a job is owned by job.user, else by username; never by no user, all users or another user',
  async (t) => {
    const launcher = await startLauncher();
    const submit = async (username: string, user?: string): Promise<string> => {
      const job = { name: 'a', command: 'b', ...(user === undefined ? {} : { user }) };
      const [message] = await launcher.ask({ messageType: 2, requestId: 1, username, job });
      return message?.['messageType'] === 2
        ? String((message['jobs'] as { user: string }[])[0]?.user)
        : `${message?.['errorCode']} ${message?.['errorMessage']}`;
    };
    const nobody = '2 job.user names nobody; a job needs a user to own it';
    const other = '2 job.user is another user than username; only an administrator may submit for others';
    t.equal(await submit('alice'), 'alice');
    t.equal(await submit('alice', ''), 'alice');
    t.equal(await submit('alice', ' alice '), 'alice');
    t.equal(await submit('*', 'bob'), 'bob');
    t.equal(await submit('*'), nobody);
    t.equal(await submit('*', ''), nobody);
    t.equal(await submit('*', ' * '), nobody);
    t.equal(await submit('alice', '*'), nobody);
    t.equal(await submit('alice', 'bob'), other);
    t.equal(launcher.jobs.submitted.length, 4);
    await launcher.end();
  },
);
