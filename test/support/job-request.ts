/** A job that asks for nothing in particular. */
import type { JobRequest } from '../../src/jobs/job.ts';

/** What a launcher's job is where it says nothing but its name and user. */
export const EMPTY_REQUEST: JobRequest = {
  name: 'report',
  user: 'alice',
  group: '',
  args: [],
  cluster: '',
  command: '',
  exe: '',
  config: [],
  environment: [],
  exposedPorts: [],
  host: '',
  initContainers: [],
  instanceId: '',
  mounts: [],
  placementConstraints: [],
  queues: [],
  resourceLimits: [],
  resourceProfile: '',
  stdin: '',
  stderrFile: '',
  stdoutFile: '',
  systemJob: false,
  tags: [],
  workingDirectory: '',
};
