/** `explain ID`: why a job is in its state, in sentences: cause, times, node, what the cluster reported, resources, what to do. */

import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { CONTAINER_NAME } from '../jobs/objects/annotations.ts';
import { isInformative } from '../jobs/view/reasons.ts';
import { adviceFor } from './advice.ts';
import { clockText, whenText } from './age.ts';
import type { Arguments } from './arguments.ts';
import { connectCommand } from './command-client.ts';
import { type Command, EXIT_OK } from './command-contract.ts';
import { begin, type CommandContext } from './command-session.ts';
import { addedLimits, causeOf, effectiveLimits, findJob, type JobDetail, resourcesText } from './job-detail.ts';
import { takeSnapshot } from './snapshot.ts';
import { clean, paint, type Terminal } from './terminal.ts';
import { fold } from './text-columns.ts';

export const explain: Command = {
  name: 'explain',
  summary: 'Explains in sentences why a job is in its state, and what to do.',
  about:
    'Names the cause, what was observed and when, the node, the warnings of the scheduler and the kubelet, the resources that the profile or the cluster added, and what to do. Changes nothing.',
  words: ['ID'],
  flags: [],
  examples: [
    ['sudo rstudio-kubernetes-launcher explain session-jane-x7k2q9w1ab', 'Why is this session still Pending?'],
  ],
  run: runExplain,
};

async function runExplain(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const [id = ''] = args.words;
  const options = await begin(args.options, context, terminal);
  const client = connectCommand(options, context);
  try {
    const snapshot = await takeSnapshot(client, (line) => terminal.say(line), { allEvents: true });
    const detail = findJob(snapshot, id);
    const now = client.serverTime() ?? context.clock.now();
    for (const [title, ...sentences] of explanation(detail, now)) {
      if (sentences.length === 0) continue;
      terminal.write(`${paint(terminal, 'bold', title ?? '')}\n`);
      for (const sentence of sentences) terminal.write(paragraph(clean(sentence), terminal));
    }
    return EXIT_OK;
  } finally {
    await client.close();
  }
}

const INDENT = '  ';

function paragraph(text: string, { columns }: Terminal): string {
  const width = columns === undefined ? undefined : columns - INDENT.length;
  return fold(text, width)
    .map((line) => `${INDENT}${line}\n`)
    .join('');
}

/** Each part: its title and its sentences. */
function explanation(detail: JobDetail, now: number): readonly (readonly string[])[] {
  return [
    ['State', ...stateSentences(detail, now)],
    ['What happened', ...timeline(detail, now)],
    ['What the cluster reported', ...reported(detail)],
    ['Resources', ...resourceSentences(detail)],
    ['What to do', adviceFor(detail)],
  ];
}

function stateSentences({ job, record }: JobDetail, now: number): readonly string[] {
  const { name, explanation: text, recordedBy, recordedAt = '' } = causeOf(record);
  const owner = job.user === '' ? '' : ` of ${job.user}`;
  const code = job.statusCode === '' || job.statusCode === job.status ? '' : ` (${job.statusCode})`;
  const exit = job.exitCode === undefined ? '' : ` Its exit code is ${job.exitCode}.`;
  const [host = ''] = (recordedBy ?? '').split('/');
  const at = clockText(recordedAt, now);
  return [
    `Job ${job.id}${owner} is ${job.status}${code}.${exit}`,
    `Cause: ${name}: ${text}.`.replace(/\.\.$/, '.'),
    ...(recordedBy === undefined
      ? []
      : [`The plugin on ${host} recorded this result${at === undefined ? '' : ` at ${at}`}.`]),
  ];
}

/** What was observed, the oldest first. */
function timeline({ job, record, pods }: JobDetail, now: number): readonly string[] {
  const { control, result } = record.job;
  const found: (readonly [at: number, sentence: string])[] = [[job.submissionTime, 'The job was submitted.']];
  for (const pod of pods) found.push(...podTimes(pod));
  if (pods.length === 0 && result !== undefined) {
    if (result.startedAt !== undefined) found.push([Date.parse(result.startedAt), 'Its container started.']);
    if (result.endedAt !== undefined) found.push([Date.parse(result.endedAt), 'The job ended.']);
  }
  if (control !== undefined) {
    const reason = control.reason === undefined ? '' : ` Reason: ${control.reason}.`;
    found.push([Date.parse(control.at), `${control.user} requested a ${control.operation}.${reason}`]);
  }
  return found
    .filter(([at]) => !Number.isNaN(at))
    .toSorted(([a], [b]) => a - b)
    .map(([at, sentence]) => `${whenText(at, now)}  ${sentence}`);
}

function podTimes({ metadata, spec, status }: Pod): readonly (readonly [number, string])[] {
  const name = metadata?.name ?? '';
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  const container =
    status?.containerStatuses?.find((each) => each.name === CONTAINER_NAME) ?? status?.containerStatuses?.[0];
  const { running, terminated } = container?.state ?? {};
  const started = running?.startedAt ?? terminated?.startedAt;
  const node = spec?.nodeName ?? '';
  const times: readonly (readonly [string | undefined, string])[] = [
    [metadata?.creationTimestamp, `Pod ${name} was created.`],
    [
      scheduled?.lastTransitionTime,
      scheduled?.status === 'True'
        ? `The scheduler assigned pod ${name} to node ${node}.`
        : `The scheduler found no node for pod ${name}.`,
    ],
    [started, `Its container started on node ${node}.`],
    [
      terminated?.finishedAt,
      `Its container ended with exit code ${terminated?.exitCode} (${terminated?.reason ?? 'no reason'}).`,
    ],
    [metadata?.deletionTimestamp, `Pod ${name} is deleted at the end of its grace period.`],
  ];
  return times.flatMap(([time, sentence]) => {
    const at = Date.parse(time ?? '');
    // Containers that never started have the year 1970.
    return Number.isNaN(at) || at <= 0 ? [] : [[at, sentence] as const];
  });
}

const MOST_WARNINGS = 5;

/** The newest warnings, each text once. */
function reported({ events, pods, canListEvents }: JobDetail): readonly string[] {
  if (!canListEvents) return ['Not known without permission to list events.'];
  const warnings = events.filter((event) => event.warning && isInformative(event));
  const sentences = new Set(warnings.map(({ reason, message, of }) => `${reason} of ${of}: ${message}`));
  if (sentences.size > 0) return [...sentences].slice(-MOST_WARNINGS);
  return pods.length === 0 && events.length === 0 ? [] : ['No warnings.'];
}

function resourceSentences(detail: JobDetail): readonly string[] {
  const added = addedLimits(detail);
  const user = detail.job.user || 'USER';
  return [
    `The container has ${resourcesText(effectiveLimits(detail))}.`,
    ...(added.length === 0
      ? []
      : [
          `The job did not ask for ${resourcesText(added)}; the profile of the user or the cluster added it. The profile: rstudio-kubernetes-launcher profile ${user}`,
        ]),
  ];
}
