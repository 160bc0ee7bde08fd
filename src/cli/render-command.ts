/** `render`: the Kubernetes objects that a job would become, without making them. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { readClusterAccess } from '../config/options/cluster-access.ts';
import type { Options } from '../config/options/options.ts';
import { userProfile } from '../config/profiles/user-profile.ts';
import { whyNotJson } from '../config/text/json-file.ts';
import { place } from '../config/text/problem.ts';
import { connect } from '../jobs/connect.ts';
import type { JobRequest } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import type { ResolvedJob } from '../jobs/objects/resolved.ts';
import { buildService, needsService } from '../jobs/objects/service.ts';
import { inputSecretName } from '../jobs/operations/input.ts';
import { newJob } from '../jobs/operations/new-job.ts';
import { type Client, JOBS, SERVICES } from '../kubernetes/contract.ts';
import { type Arguments, UsageError } from './arguments.ts';
import { type Command, EXIT_FAILED, EXIT_OK } from './command-contract.ts';
import { openFiles, policyOf } from './command-policy.ts';
import { begin, type Surroundings } from './command-session.ts';
import { clean, type Terminal } from './terminal.ts';
import { NEWEST_MINOR } from './version.ts';
import { toYaml } from './yaml.ts';

export const render: Command = {
  name: 'render',
  summary: 'Prints the Kubernetes objects that a job of a user would become, with his profile and overrides in them.',
  about:
    'JOB.json is a job as a launcher writes it (the member "job" of a submit message, or the whole message); - reads it from stdin; without one a small sample with a port is taken. A job that the profile does not allow is refused as the launcher would see it, with exit code 1. Nothing is made. What is printed is whole: values of the environment, arguments, and the content of override files.',
  words: ['[JOB.json]'],
  flags: [
    { name: 'user', value: 'USER', doc: 'Whose job it is; default: the user that the job names.' },
    { name: 'image', value: 'IMAGE', doc: 'Of the sample; default: the default image of the profile.' },
    { name: 'output', short: 'o', value: 'yaml|json', doc: 'Default: yaml.' },
    { name: 'server-dry-run', doc: 'Asks the API server, too, which checks strictly and stores nothing.' },
  ],
  examples: [
    ['sudo rstudio-kubernetes-launcher render --user jane', 'What does the profile of jane make of a small job?'],
    ['sudo rstudio-kubernetes-launcher render job.json --user jane --server-dry-run', 'Would the cluster take it?'],
    ['sudo rstudio-kubernetes-launcher render - -o json <job.json | jq .items[0].spec', 'For programs.'],
  ],
  run: runRender,
};

async function runRender(args: Arguments, surroundings: Surroundings, terminal: Terminal): Promise<number> {
  const format = args.flags.get('output') ?? 'yaml';
  if (format !== 'yaml' && format !== 'json')
    throw new UsageError(`render: --output is yaml or json, not ${clean(format)}`);
  const options = await begin(args.options, surroundings, terminal);
  const files = openFiles(options, terminal);
  const access = readClusterAccess(options);
  const client = args.flags.has('server-dry-run')
    ? connect(options, surroundings, { access, atOnce: true })
    : undefined;
  try {
    const request = await readRequest(args, surroundings);
    const resolved = await policyOf(files, options, access.namespace, surroundings).resolve(request, request.user);
    const { profile } = await userProfile(files.profiles, surroundings.users, request.user);
    const objects = await build(resolved, options, surroundings, client);
    const at = profile.jobJsonOverrides.origin;
    const notes = [
      ...(resolved.overrides ?? []).map(
        ({ pointer, file }) => `override ${pointer} from ${file}${at === undefined ? '' : ` (${place(at)})`}`,
      ),
      ...(request.stdin === ''
        ? []
        : [
            `its input of ${Buffer.byteLength(request.stdin)} bytes goes into Secret ${inputSecretName(objects.job.metadata?.name ?? '')}`,
          ]),
      ...(objects.service === undefined ? [] : ["the uid of the Service's owner is known when the Job was made"]),
      ...objects.notes,
    ];
    write(objects, notes, format, terminal);
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    const number = error.code === 'invalid-request' ? 2 : 0;
    terminal.say(`refused, as the launcher sees it: Error ${number}: ${clean(error.message)}`);
    return EXIT_FAILED;
  } finally {
    await client?.close();
  }
}

async function readRequest({ words, flags }: Arguments, surroundings: Surroundings): Promise<JobRequest> {
  const [file] = words;
  const user = flags.get('user');
  if (file === undefined && user === undefined) throw new UsageError('render: --user is missing: whose job is it?');
  const text =
    file === undefined
      ? JSON.stringify(sample(flags.get('image')))
      : file === '-'
        ? await surroundings.readInput()
        : await readText(resolve(surroundings.directory, file));
  const mistake = whyNotJson(text);
  if (mistake !== undefined)
    throw new UsageError(`render: ${clean(file ?? '')} is not JSON: line ${mistake.line}, ${mistake.message}`);
  const value: unknown = JSON.parse(text);
  const job = typeof value === 'object' && value !== null && 'job' in value ? value.job : value;
  let request: JobRequest;
  try {
    request = surroundings.readJob(job);
  } catch (error) {
    throw new JobError('invalid-request', `job: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const owned = user === undefined ? request : { ...request, user };
  if (owned.user === '') throw new UsageError('render: the job names no user; add --user');
  return owned;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const hint = words.startsWith('EACCES') ? '; pass it on stdin: render - <FILE' : '';
    throw new UsageError(`render: ${clean(words)}${hint}`);
  }
}

function sample(image: string | undefined): object {
  return {
    name: 'Sample session',
    exe: '/bin/sh',
    args: ['-c', 'echo "$GREETING"'],
    environment: [{ name: 'GREETING', value: 'hello' }],
    exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }],
    ...(image === undefined ? {} : { container: { image } }),
  };
}

interface Objects {
  readonly job: KubernetesJob;
  readonly service: Service | undefined;
  readonly notes: readonly string[];
}

/** The objects; shown to the API server if there is a client. */
async function build(
  resolved: ResolvedJob,
  options: Options,
  { random }: Surroundings,
  client: Client | undefined,
): Promise<Objects> {
  const { id, manifest } = newJob(resolved, options, random);
  const minor = client === undefined ? NEWEST_MINOR : (await client.version()).minor;
  const job = manifest(minor);
  const owner = { name: id, uid: UNKNOWN_UID };
  const service = needsService(resolved.request) ? buildService(resolved, owner, options.serviceType) : undefined;
  if (client === undefined) return { job, service, notes: [] };
  const strictly = { dryRun: true, fieldValidation: 'Strict' } as const;
  const taken = await client.create(JOBS, job, strictly);
  const also = service === undefined ? { warnings: [] } : await client.create(SERVICES, service, strictly);
  const warnings = [...taken.warnings, ...also.warnings].map((text) => `the API server warns: ${text}`);
  return { job, service, notes: ['the API server takes it (strict dry run)', ...warnings] };
}

/** A Service is owned by its Job, whose uid is known when it was made. */
const UNKNOWN_UID = '00000000-0000-0000-0000-000000000000';

function write({ job, service }: Objects, notes: readonly string[], format: 'yaml' | 'json', terminal: Terminal): void {
  const objects = service === undefined ? [job] : [job, service];
  if (format === 'json') {
    for (const note of notes) terminal.say(clean(note));
    terminal.write(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 2)}\n`);
  } else {
    const comments = notes.map((note) => `# ${clean(note)}\n`).join('');
    terminal.write(comments + objects.map(toYaml).join('---\n'));
  }
}
