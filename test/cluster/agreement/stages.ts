/**
 * What watches showed of each job: the stages that a Job, its pods and their events went through, in order. Times,
 * `ready` (the job controller looks once a second) and repeated lines without a change of stage are left out.
 */
import { isObject, type Json, type JsonObject } from '../api/patch.ts';
import { normalText } from './normal.ts';

export interface WatchLine {
  readonly type: string;
  readonly object: Json;
}

/** Job or object -> its stages. */
type Stages = ReadonlyMap<string, readonly string[]>;

interface Stage {
  readonly key: string;
  readonly stage: string;
}

/** Adds what is not the same as the stage before. */
export function addStage(stages: Map<string, string[]>, { key, stage }: Stage): void {
  const list = stages.get(key);
  if (list === undefined) stages.set(key, [stage]);
  else if (list.at(-1) !== stage) list.push(stage);
}

/** Which object a line of a watch is about, and the stage it shows; undefined for lines that show none. */
export function stageOf(type: string, object: Json): Stage | undefined {
  if (!isObject(object) || type === 'BOOKMARK') return undefined;
  const metadata = record(object['metadata']);
  const status = record(object['status']);
  const name = String(metadata['name']);
  switch (object['kind']) {
    case 'Job': {
      const counts = ['active', 'succeeded', 'failed'].flatMap((key) =>
        status[key] === undefined ? [] : [`${key}=${status[key]}`],
      );
      return { key: `Job ${normalText(name)}`, stage: words(type, ...counts, ...conditionsOf(status)) };
    }
    case 'Pod': {
      const job = String(record(metadata['labels'])['batch.kubernetes.io/job-name']);
      const going = metadata['deletionTimestamp'] === undefined ? '' : 'terminating';
      const states = items(status['containerStatuses']).map((one) => stateOf(record(one['state'])));
      const reason = String(status['reason'] ?? '');
      const stage = words(type, String(status['phase']), reason, ...states, going, ...conditionsOf(status));
      return { key: `pods of ${normalText(job)}`, stage };
    }
    case 'Event': {
      const about = record(object['involvedObject']);
      const kind = String(about['kind']);
      if (type !== 'ADDED' || (kind !== 'Job' && kind !== 'Pod')) return undefined;
      const job = kind === 'Pod' ? String(about['name']).replace(/-[a-z0-9]{5}$/, '') : String(about['name']);
      return { key: `events of ${kind} ${normalText(job)}`, stage: String(object['reason']) };
    }
    default:
      return { key: `${object['kind']} ${normalText(name)}`, stage: type };
  }
}

/** `running`, `waiting ContainerCreating`, `terminated Error 3`. */
function stateOf(state: JsonObject): string {
  const [name = '', detail] = Object.entries(state)[0] ?? [];
  const { reason, exitCode } = record(detail);
  return [name, reason, exitCode].filter((one) => one !== undefined).join(' ');
}

/** `Ready=False PodFailed`, in the order of the object. */
function conditionsOf(status: JsonObject): string[] {
  return items(status['conditions']).map(({ type, status: value, reason }) =>
    words(`${type}=${value}`, `${reason ?? ''}`),
  );
}

function words(...texts: string[]): string {
  return texts.filter((text) => text !== '').join(' ');
}

function record(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function items(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Lines that tell what differs; none if each object here went at least as far, on the same way, and all are `known`. */
export function differences(recorded: Stages, here: Stages, known: ReadonlySet<string>): string[] {
  const strangers = [...here.keys()].filter((key) => !known.has(key)).map((key) => `${key}: not recorded`);
  const others = [...recorded].flatMap(([key, stages]) => {
    const own = here.get(key) ?? [];
    const at = stages.findIndex((stage, index) => own[index] !== stage);
    return at < 0 ? [] : [`${key}, stage ${at}: ${stages[at]}\n  here: ${own[at] ?? 'not reached'}`];
  });
  return [...strangers, ...others];
}
