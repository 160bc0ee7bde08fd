/** `render`: prints the Kubernetes objects of a job without creating them. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { readClusterAccess } from '../config/options/cluster.ts';
import type { Options } from '../config/options/options.ts';
import { userProfile } from '../config/profiles/user-profile.ts';
import { whyNotJson } from '../config/text/json-file.ts';
import { place } from '../config/text/problem.ts';
import type { JobRequest } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import type { ResolvedJob } from '../jobs/objects/resolved.ts';
import { needsService, withOwnerReference } from '../jobs/objects/service.ts';
import { NO_SERVICE } from '../jobs/objects/template-objects.ts';
import { inputSecretName } from '../jobs/operations/input.ts';
import { newJob } from '../jobs/operations/submit.ts';
import { openTemplates } from '../jobs/templates.ts';
import { type Client, JOBS, SERVICES } from '../kubernetes/contract.ts';
import { errorCode, errorMessage } from '../system/errors.ts';
import { type Arguments, UsageError } from './arguments.ts';
import { connectCommand } from './command-client.ts';
import { type Command, EXIT_FAILED, EXIT_OK } from './command-contract.ts';
import { openPolicyFiles, policyOf } from './command-policy.ts';
import { begin, type CommandContext } from './command-session.ts';
import { clean, cleanJson, type Terminal } from './terminal.ts';
import { NEWEST_MINOR } from './version.ts';
import { toYaml } from './yaml.ts';

export const render: Command = {
  name: 'render',
  summary: 'Prints the Kubernetes objects of a job, with the profile and overrides of its user applied.',
  about:
    'JOB.json is a job as a launcher writes it (the field "job" of a submit message, or the complete message); - reads it from stdin. Without JOB.json, the command uses a small sample job with one port. If the profile does not allow the job, it prints the error that the launcher would receive, and exits with 1. It creates nothing. The output includes values of environment variables, arguments, and the content of override files.',
  words: ['[JOB.json]'],
  flags: [
    { name: 'user', value: 'USER', doc: 'User of the job; default: the user that the job names.' },
    { name: 'image', value: 'IMAGE', doc: 'Image of the sample job; default: the default image of the profile.' },
    { name: 'output', short: 'o', value: 'yaml|json', doc: 'Default: yaml.' },
    {
      name: 'server-dry-run',
      doc: 'Also send the objects to the API server as a strict dry run, which stores nothing.',
    },
  ],
  examples: [
    ['sudo rstudio-kubernetes-launcher render --user jane', 'Which objects does a small job of jane become?'],
    ['sudo rstudio-kubernetes-launcher render job.json --user jane --server-dry-run', 'Would the cluster accept it?'],
    ['sudo rstudio-kubernetes-launcher render - -o json <job.json | jq .items[0].spec', 'For programs.'],
  ],
  run: runRender,
};

async function runRender(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const format = args.flags.get('output') ?? 'yaml';
  if (format !== 'yaml' && format !== 'json')
    throw new UsageError(`render: --output is yaml or json, not "${clean(format)}"`);
  const options = await begin(args.options, context, terminal);
  const files = openPolicyFiles(options, terminal);
  const access = readClusterAccess(options);
  const client = args.flags.has('server-dry-run') ? connectCommand(options, context, { access }) : undefined;
  try {
    const request = await readRequest(args, context);
    const resolved = await policyOf(files, options, access.namespace, context).resolve(request, request.user);
    const { profile } = await userProfile(files.profiles, context.users, request.user);
    const objects = await build(resolved, options, context, client);
    const at = profile.jobJsonOverrides.origin;
    const notes = [
      ...resolved.overrides.map(
        ({ pointer, file }) => `override ${pointer} from ${file}${at === undefined ? '' : ` (${place(at)})`}`,
      ),
      ...(request.stdin === ''
        ? []
        : [
            `stdin (${Buffer.byteLength(request.stdin)} bytes) is stored in Secret ${inputSecretName(objects.job.metadata?.name ?? '')}`,
          ]),
      ...(objects.service === undefined
        ? []
        : ['ownerReferences.uid is a placeholder: the real one exists after the Job is created']),
      ...objects.notes,
    ];
    write(objects, notes, format, terminal);
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    const number = error.code === 'invalid-request' ? 2 : 0;
    terminal.say(`refused; the launcher would receive Error ${number}: ${clean(error.message)}`);
    if (error.logged !== error.message) terminal.say(`the log would have: ${clean(error.logged)}`);
    if (args.words.length === 0 && !args.flags.has('image'))
      terminal.say('The sample job has the default image of the profile; to try another one: --image IMAGE');
    return EXIT_FAILED;
  } finally {
    await client?.close();
  }
}

async function readRequest({ words, flags }: Arguments, context: CommandContext): Promise<JobRequest> {
  const [file] = words;
  const user = flags.get('user');
  if (file === undefined && user === undefined) throw new UsageError('render: --user is missing');
  const text =
    file === undefined
      ? JSON.stringify(sample(flags.get('image')))
      : file === '-'
        ? await context.readInput()
        : await readText(resolve(context.directory, file));
  const mistake = whyNotJson(text);
  if (mistake !== undefined)
    throw new UsageError(`render: ${clean(file ?? '')} is not JSON: line ${mistake.line}, ${mistake.message}`);
  const value: unknown = JSON.parse(text);
  const job = typeof value === 'object' && value !== null && 'job' in value ? value.job : value;
  let request: JobRequest;
  try {
    request = context.readJob(job);
  } catch (error) {
    throw new JobError('invalid-request', `job: ${errorMessage(error)}`, {
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
    if (errorCode(error) === 'ENOENT') throw new UsageError(`render: ${clean(file)} does not exist`);
    const words = errorMessage(error);
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

/** The objects; sent to the API server as a dry run if there is a client. */
async function build(
  resolved: ResolvedJob,
  options: Options,
  { clock, random }: CommandContext,
  client: Client | undefined,
): Promise<Objects> {
  const notes: string[] = [];
  const templates = openTemplates(options, clock.now(), (template, changes) => {
    const path = `${options.templatePath}/${template}`;
    if (changes.includes(NO_SERVICE)) notes.push(`${path} renders nothing: the job gets no Service`);
    else notes.push(`made by template ${path}`, ...changes.map((field) => `${template}: the plugin sets ${field}`));
  });
  const { id, manifest, service: serviceOf } = newJob(resolved, options, random, templates);
  const minor = client === undefined ? NEWEST_MINOR : (await client.version()).minor;
  const job = await manifest(minor);
  const owner = { name: id, uid: UNKNOWN_UID };
  const unowned = needsService(resolved.request) ? await serviceOf(minor, options.serviceType) : undefined;
  const service = unowned && withOwnerReference(unowned, owner);
  if (client === undefined) return { job, service, notes };
  const strictly = { dryRun: true, fieldValidation: 'Strict' } as const;
  const taken = await client.create(JOBS, job, strictly);
  const also = service === undefined ? { warnings: [] } : await client.create(SERVICES, service, strictly);
  const warnings = [...taken.warnings, ...also.warnings].map((text) => `the API server warns: ${text}`);
  const how = minor < STRICT_MINOR ? 'dry run; before Kubernetes 1.25, unknown fields are ignored' : 'strict dry run';
  return { job, service, notes: [...notes, `the API server accepts these objects (${how})`, ...warnings] };
}

/** The first version that refuses unknown fields if asked to. */
const STRICT_MINOR = 25;

/** Placeholder: a Service is owned by its Job, which has no uid before it is created. */
const UNKNOWN_UID = '00000000-0000-0000-0000-000000000000';

function write({ job, service }: Objects, notes: readonly string[], format: 'yaml' | 'json', terminal: Terminal): void {
  const objects = service === undefined ? [job] : [job, service];
  if (format === 'json') {
    for (const note of notes) terminal.say(clean(note));
    terminal.write(`${cleanJson({ apiVersion: 'v1', kind: 'List', items: objects }, 2)}\n`);
  } else {
    const comments = notes.map((note) => `# ${clean(note)}\n`).join('');
    terminal.write(comments + objects.map(toYaml).join('---\n'));
  }
}
