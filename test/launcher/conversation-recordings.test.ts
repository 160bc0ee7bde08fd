/** A session of this process answers the recorded conversations, of launchers of three ages, as recorded. */
import t from 'tap';
import type { Job } from '../../src/jobs/job.ts';
import { JobError, type JobErrorCode } from '../../src/jobs/job-error.ts';
import type { ReloadResult } from '../../src/launcher/responses.ts';
import { type Partner, readConversations, replay } from './conversation.ts';
import { createFakeJobs } from './fake-jobs.ts';
import { settle, startLauncher } from './harness.ts';

/** A session of this process; the `cluster` steps say what becomes of its jobs and of control requests, which wait for them. */
async function scripted(): Promise<Partner> {
  const jobs = createFakeJobs();
  const controls: { readonly allow: () => void; readonly refuse: (error: JobError) => void }[] = [];
  let reloaded: ReloadResult = { errorType: 0, errorMessage: '', applied: [], pendingRestart: [] };
  jobs.on.submit = async (request) => jobs.put({ ...request, stdin: '', id: 'job-1', statusCode: 'Pending' });
  jobs.on.control = () =>
    new Promise((resolve, reject) => {
      controls.push({ allow: () => resolve({ complete: true, message: '' }), refuse: reject });
    });
  const launcher = await startLauncher({
    jobs,
    version: null,
    reload: async () => reloaded,
  });
  const received: string[] = [];
  return {
    send: launcher.sendText,
    next: async () => {
      received.push(...(await launcher.texts()));
      return received.shift();
    },
    end: async () => {
      launcher.input.end();
      const end = await launcher.session.done;
      if (end.reason !== 'input-ended') throw new Error(`ended with ${end.reason}`);
    },
    cluster: async (step) => {
      if ('reload' in step) reloaded = step.reload as unknown as ReloadResult;
      await settle();
      if ('put' in step) {
        for (const { allow } of controls.splice(0)) allow();
        jobs.put(step.put as Partial<Job> & { id: string });
      } else if ('output' in step) {
        jobs.outputOf(step.output[0]).push(step.output[1]);
      } else if ('endOutput' in step) {
        jobs.outputOf(step.endOutput).end();
      } else if ('refuse' in step) {
        for (const { refuse } of controls.splice(0)) refuse(new JobError(step.refuse as JobErrorCode, 'not now'));
      }
    },
  };
}

for (const conversation of readConversations()) {
  t.test(`[conversation-${conversation.api}] ${conversation.about}`, async (t) => {
    const compared = await replay(conversation, await scripted());
    t.ok(compared >= 10, `${compared} messages as recorded`);
  });
}
