/**
 * Steps of `check` about launcher templates: the files in use, and whether sample jobs of each kind can be made with them and
 * are accepted by the API server. Creates nothing.
 */
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import { effectiveProfile, NOBODY } from '../../config/profiles/profiles.ts';
import type { TemplateFile, TemplateFileOptions } from '../../config/profiles/template-files.ts';
import { ConfigError } from '../../config/text/problem.ts';
import { JobError } from '../../jobs/job-error.ts';
import type { ResolvedJob } from '../../jobs/objects/resolved.ts';
import { needsService, withOwnerReference } from '../../jobs/objects/service.ts';
import { NO_SERVICE } from '../../jobs/objects/template-objects.ts';
import { newJob } from '../../jobs/operations/submit.ts';
import { profileSettings } from '../../jobs/policy/policy.ts';
import { loadTemplates, openTemplates, templateList } from '../../jobs/templates.ts';
import { JOBS, SERVICES } from '../../kubernetes/contract.ts';
import { KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { Mounts } from '../../system/file-writers.ts';
import { smallJob } from '../command-policy.ts';
import type { CommandContext } from '../command-session.ts';
import { NEWEST_MINOR } from '../version.ts';
import { failedCall } from './check-api.ts';
import { problemFindings, warningOf } from './check-configuration.ts';
import type { Trial } from './check-overrides.ts';
import { type Checked, type Finding, failure, ok, only, warning } from './check-report.ts';

/** The template files, read and parsed as at the plugin's start. */
export function checkTemplateFiles(
  options: TemplateFileOptions,
  isServerUser: boolean,
  mounts: Pick<Mounts, 'has'> = Mounts.read(),
): Checked<true> {
  try {
    const { files, warnings } = loadTemplates(options);
    const found = files.length === 0 ? [] : [ok(`${templateList(files)} in ${options.templatePath}`)];
    const isFixed = files.some(({ path }) => mounts.has(path));
    const fixed = isFixed
      ? [ok('these files are mounted one by one (subPath): restart the pod after a change of their ConfigMap')]
      : [];
    return only(...found, ...fixed, ...warnings.map(warningOf), ...files.flatMap(pipedReplacements));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: problemFindings(error, isServerUser) };
  }
}

/** A pipeline that ends in a function of which the last argument is the replacement. */
const PIPED = /\|[ \t]{0,20}((?:mustRegexReplaceAll|regexReplaceAll)(?:Literal)?)[ \t]/;

function pipedReplacements({ path, text }: TemplateFile): readonly Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const name = PIPED.exec(line)?.[1];
    if (name === undefined) return [];
    const said = `${path}:${index + 1}: the text before "| ${name}" is used as the replacement, not as the text to change`;
    return [warning(said, `write ${name} REGEX TEXT REPLACEMENT without a pipe`)];
  });
}

interface Sample {
  readonly what: string;
  readonly job: Readonly<Record<string, unknown>>;
  readonly nvidiaGpus?: number;
}

/** Jobs that use every part of the data. Values hold characters that YAML reads as structure. */
const SAMPLES: readonly Sample[] = [
  { what: 'a small job', job: {} },
  {
    what: 'a job with exe, arguments, variables and tags',
    job: {
      name: 'Sample: "session", #1',
      command: '',
      exe: '/bin/sh',
      args: ['-c', 'echo "$GREETING"; exit 0 # {done}'],
      environment: [{ name: 'GREETING', value: "it's: [fine]" }],
      tags: ['a, b'],
      workingDirectory: '/tmp',
      resourceLimits: [
        { type: 'cpuCount', value: '1' },
        { type: 'memory', value: '512' },
      ],
    },
  },
  { what: 'a job with a port', job: { exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] } },
  { what: 'a job with GPUs', job: {}, nvidiaGpus: 1 },
  {
    what: 'a job with a mount',
    job: {
      mounts: [
        { mountPath: '/home/sample', readOnly: false, type: 'nfs', source: { host: 'nfs.example', path: '/home' } },
      ],
    },
  },
  {
    what: 'a job with an init container',
    job: { initContainers: [{ name: 'components', image: 'busybox', command: 'true' }] },
  },
  { what: 'a job with input', job: { stdin: 'sample\n' } },
];

function resolvedSample(
  { job, nvidiaGpus = 0 }: Sample,
  { profiles }: PolicyFiles,
  context: CommandContext,
): ResolvedJob {
  const profile = effectiveProfile(profiles, NOBODY);
  const image = profile.defaultContainerImage.value || profile.containerImages.value[0] || 'busybox';
  const request = smallJob(context, 'sample-user', image, job);
  return {
    request,
    image,
    limits: { cpuMillis: 1000, memoryMb: 512 },
    requests: {},
    nvidiaGpus,
    amdGpus: 0,
    checkResult: () => {},
    ...profileSettings(request, profile, undefined),
    overrides: [],
  };
}

/** What the templates make of a small job, with the files; undefined if they cannot: step `template-jobs` reports why. */
export async function renderedSample(files: PolicyFiles, { options, context, api }: Trial) {
  try {
    const templates = openTemplates(options, context.clock.now());
    const resolved = resolvedSample({ what: '', job: {} }, files, context);
    const job = await newJob(resolved, options, context.random, templates).manifest(api?.minor ?? NEWEST_MINOR);
    return { job, files: loadTemplates(options).files };
  } catch (error) {
    if (error instanceof JobError || error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** Makes the sample jobs with the templates, and sends them to the API server as dry runs if it responds. No value: none is accepted. */
export async function checkTemplateJobs(files: PolicyFiles, trial: Trial): Promise<Checked<true>> {
  const changes = new Set<string>();
  const warned = new Set<string>();
  const failures = new Map<string, { readonly finding: Finding; readonly samples: string[] }>();
  for (const sample of SAMPLES) {
    try {
      const resolved = resolvedSample(sample, files, trial.context);
      const warnings = await tryObjects(resolved, trial, (sentence) => changes.add(sentence));
      for (const text of warnings) warned.add(text);
    } catch (error) {
      const finding = refusal(error);
      const same = failures.get(finding.found);
      if (same === undefined) failures.set(finding.found, { finding, samples: [sample.what] });
      else same.samples.push(sample.what);
    }
  }
  const findings = [
    ...[...failures.values()].map(({ finding, samples }) => ({
      ...finding,
      found: `${samples.join('; ')}: ${finding.found}`,
    })),
    ...[...changes].map((sentence) =>
      warning(sentence, 'change the template, or ignore this warning if it is intended'),
    ),
    ...[...warned].map((text) => warning(`the API server warns about a sample job: ${text}`)),
  ];
  const passed = SAMPLES.length - [...failures.values()].reduce((count, { samples }) => count + samples.length, 0);
  const sent = trial.api === undefined ? ' (not sent to the API server)' : '; the API server accepts them (dry run)';
  const made = hasTemplates(trial.options) ? 'templates make' : 'without templates, the plugin makes';
  const good = passed === 0 ? [] : [ok(`${made} ${passed} of ${SAMPLES.length} sample jobs${sent}`)];
  return { findings: [...good, ...findings], value: passed === 0 ? undefined : true };
}

function hasTemplates(options: TemplateFileOptions): boolean {
  try {
    return loadTemplates(options).files.length > 0;
  } catch (error) {
    if (error instanceof ConfigError) return true;
    throw error;
  }
}

const corrected = (field: string, path: string): string => `${path}: the plugin corrects ${field} of each job`;

/** Resolves with the warnings of the API server. */
async function tryObjects(
  resolved: ResolvedJob,
  { options, context, api }: Trial,
  onChange: (sentence: string) => void,
): Promise<readonly string[]> {
  const templates = openTemplates(options, context.clock.now(), (template, changes) => {
    const path = `${options.templatePath}/${template}`;
    for (const field of changes)
      onChange(
        field === NO_SERVICE ? `${path} renders nothing: jobs with ports get no Service` : corrected(field, path),
      );
  });
  const minor = api?.minor ?? NEWEST_MINOR;
  const { id, manifest, service } = newJob(resolved, options, context.random, templates);
  const job = await manifest(minor);
  const unowned = needsService(resolved.request) ? await service(minor, options.serviceType) : undefined;
  if (api === undefined) return [];
  const strictly = { dryRun: true, fieldValidation: 'Strict' } as const;
  const { warnings } = await api.client.create(JOBS, job, strictly);
  if (unowned === undefined) return warnings;
  const owned = withOwnerReference(unowned, { name: id, uid: '00000000-0000-0000-0000-000000000000' });
  return [...warnings, ...(await api.client.create(SERVICES, owned, strictly)).warnings];
}

/** The id that each sample job has in errors of the API server. */
const SAMPLE_ID = /\b[a-z0-9-]{1,40}-[a-z0-9]{10}(?=")/;

/** The samples are no secret: the message of the log is shown. */
function refusal(error: unknown): Finding {
  if (error instanceof JobError) return failure(error.logged, 'correct this line of the template');
  if (!(error instanceof KubernetesError)) throw error;
  const finding = failedCall(error);
  return { ...finding, found: finding.found.replace(SAMPLE_ID, 'ID') };
}
