/**
 * The data of launcher templates: one object `Job`, built from a request and from the Job that is generated without
 * templates, and the check of every string in it that has a syntax of Kubernetes.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import { IMAGE } from '../../config/profiles/profile-kinds.ts';
import { DNS_LABEL, isLabelKey, isLabelValue, OBJECT_NAME } from '../../config/text/kinds.ts';
import { isObject } from '../../system/json.ts';
import type { Sliced } from '../../system/slices.ts';
import { toTemplateData } from '../../templates/language/data.ts';
import type { Value } from '../../templates/values.ts';
import type { JobRequest } from '../job.ts';
import { refuse } from '../job-error.ts';
import { doubleDollars } from './command.ts';
import { metadataInitContainers } from './metadata.ts';
import type { Amounts, ResolvedJob } from './resolved.ts';
import { accountOf, accountsOf, secretsOf } from './to-pod.ts';

/** The longest name that templates can take. */
const NAME_LENGTH = 70;

/** JSON of the data: strings, numbers, booleans, lists and objects; nothing is null. */
export type TemplateData = Readonly<Record<string, unknown>>;

export interface TemplateDataContext {
  readonly id: string;
  readonly shareProcessNamespace: boolean;
}

/** Templates older than version 2.3.0 compare these with 1.0, so they are float64 always. */
const RATIOS: ReadonlySet<string> = new Set(['cpuRequestRatio', 'memoryRequestRatio']);

/** `generated`: the Job as it is built without templates; volumes and mounts are taken from it. */
export function templateData(
  resolved: ResolvedJob,
  generated: KubernetesJob,
  { id, shareProcessNamespace }: TemplateDataContext,
): TemplateData {
  const { request, image, profile } = resolved;
  const spec = generated.spec?.template.spec;
  const [main] = spec?.containers ?? [];
  const initMounts = new Map((spec?.initContainers ?? []).map(({ name, volumeMounts = [] }) => [name, volumeMounts]));
  const exposedPorts = request.exposedPorts.map(({ targetPort, publishedPort, protocol }) => ({
    targetPort,
    ...(publishedPort === undefined ? {} : { publishedPort }),
    protocol,
  }));
  return {
    id,
    serviceName: id,
    generateName: `${id}-`,
    name: [...request.name.replace(/[\r\n\u0085\u2028\u2029]/g, ' ')].slice(0, NAME_LENGTH).join(''),
    user: request.user,
    group: request.group,
    tags: request.tags,
    queues: request.queues,
    host: request.host,
    cluster: request.cluster,
    resourceProfile: request.resourceProfile,
    stdoutFile: request.stdoutFile,
    stderrFile: request.stderrFile,
    instanceId: request.instanceId,
    systemJob: request.systemJob,
    workingDirectory: request.workingDirectory,
    command: doubleDollars(request.command),
    exe: doubleDollars(request.exe),
    args: request.args.map(doubleDollars),
    environment: variablesOf(request.environment),
    stdin: request.stdin === '' ? '' : '(delivered by the launcher)',
    config: request.config.map(({ name, value, valueType = '' }) => ({ name, value, valueType })),
    container: { ...request.container, image },
    resourceLimits: limitsOf(resolved),
    cpuRequestRatio: ratio(resolved.requests.cpuMillis, resolved.limits.cpuMillis),
    memoryRequestRatio: ratio(resolved.requests.memoryMb, resolved.limits.memoryMb),
    placementConstraints: request.placementConstraints.map(({ name, value }) => ({ name, value })),
    exposedPorts,
    servicePortsJson: JSON.stringify(exposedPorts),
    volumes: spec?.volumes ?? [],
    volumeMounts: main?.volumeMounts ?? [],
    initContainers: request.initContainers.map((init) => ({
      name: init.name,
      image: init.image,
      command: doubleDollars(init.command),
      exe: doubleDollars(init.exe),
      args: init.args.map(doubleDollars),
      environment: variablesOf(init.environment),
      mounts: initMounts.get(init.name) ?? ([] satisfies VolumeMount[]),
    })),
    serviceAccountName: accountOf(request.config) ?? profile.serviceAccount.value ?? '',
    shareProcessNamespace,
    ...(request.metadata === undefined
      ? {}
      : { metadata: withoutKeysOfProfile(withoutNulls(request.metadata), resolved) }),
  };
}

/** Labels and annotations of the profile are not those of the user: a template would write the latter over them. */
function withoutKeysOfProfile(metadata: unknown, { labels, annotations }: ResolvedJob): unknown {
  if (!isObject(metadata)) return metadata;
  const without = (value: unknown, keys: object): unknown =>
    isObject(value) ? Object.fromEntries(Object.entries(value).filter(([key]) => !Object.hasOwn(keys, key))) : value;
  const cut = (of: unknown): unknown =>
    isObject(of)
      ? {
          ...of,
          ...(of['labels'] === undefined ? {} : { labels: without(of['labels'], labels) }),
          ...(of['annotations'] === undefined ? {} : { annotations: without(of['annotations'], annotations) }),
        }
      : of;
  return Object.fromEntries(Object.entries(metadata).map(([name, of]) => [name, cut(of)]));
}

const variablesOf = (environment: JobRequest['environment']) =>
  environment.map(({ name, value }) => ({ name, value: doubleDollars(value) }));

const ratio = (request: number | undefined, limit: number | undefined): number =>
  request === undefined || limit === undefined ? 1 : request / limit;

/** The resolved amounts: CPUs and MB as decimals. */
function limitsOf({ limits, requests, nvidiaGpus, amdGpus }: ResolvedJob): readonly { type: string; value: string }[] {
  const cpus = ({ cpuMillis }: Amounts) => (cpuMillis === undefined ? undefined : cpuMillis / 1000);
  const found: readonly (readonly [string, number | undefined])[] = [
    ['cpuCount', cpus(limits)],
    ['CPU Request', cpus(requests)],
    ['memory', limits.memoryMb],
    ['Memory Request', requests.memoryMb],
    ['NVIDIA GPUs', nvidiaGpus || undefined],
    ['AMD GPUs', amdGpus || undefined],
  ];
  return found.flatMap(([type, value]) => (value === undefined ? [] : [{ type, value: String(value) }]));
}

/** A field that is null is absent: the data has none. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, withoutNulls(inner)]),
  );
}

/** The data as templates see it. New for each rendering: templates change it (`set`). */
export function* templateValue(data: TemplateData): Sliced<Value> {
  return new Map([['Job', yield* toTemplateData(data, RATIOS)]]);
}

type Path = readonly (string | number)[];

/** Strings that the plugin makes, or that `checkSyntax` has checked. By path, `*` for indices and keys. */
const CHECKED: ReadonlySet<string> = new Set([
  'id',
  'serviceName',
  'generateName',
  'user',
  'servicePortsJson',
  'stdin',
  'host',
  'serviceAccountName',
  'environment.*.name',
  'container.image',
  'container.capabilitiesAdd.*',
  'container.capabilitiesDrop.*',
  'resourceLimits.*.type',
  'resourceLimits.*.value',
  'placementConstraints.*.name',
  'placementConstraints.*.value',
  'exposedPorts.*.protocol',
  'volumes.*.name',
  'volumeMounts.*.name',
  'initContainers.*.name',
  'initContainers.*.image',
  'initContainers.*.environment.*.name',
  'initContainers.*.mounts.*.name',
  'metadata.job.labels.*',
  'metadata.pod.labels.*',
  'metadata.service.labels.*',
  'metadata.pod.initContainers.*.name',
  'metadata.pod.initContainers.*.image',
]);

/** Objects that have any keys. */
const LABELS = /^metadata\.(?:job|pod|service)\.labels$/;

/** Where a string is: the step to it, and what is above. Written as a list only for the few that are reported. */
export interface Position {
  readonly step: string | number;
  readonly above: Position | undefined;
}

export function pathTo(position: Position): Path {
  const path: (string | number)[] = [];
  for (let at: Position | undefined = position; at !== undefined; at = at.above) path.unshift(at.step);
  return path;
}

/** Work between two places where other work may run, in characters, and how many of them a string counts at least. */
const PAUSE_WORK = 16_384;
const STRING_WORK = 32;

/**
 * A copy of the data with every free string replaced. They are numbered in the order of the data, which is the same in
 * every copy.
 */
export function* mapFreeText(
  data: TemplateData,
  replace: (text: string, number: number, position: Position) => string,
): Sliced<TemplateData> {
  const secrets = new Set(
    Object.entries(data['config'] ?? {}).flatMap(([index, { name }]) =>
      name === 'secret' || name === 'serviceAccountName' ? [`config.${index}.value`] : [],
    ),
  );
  let count = 0;
  let work = 0;
  const visitString = (text: string, pattern: string, position: Position): string => {
    const { above } = position;
    const isSecret =
      secrets.size > 0 &&
      above !== undefined &&
      secrets.has(`config.${above.step}.${position.step}`) &&
      pattern === 'config.*.value';
    work += text.length + STRING_WORK;
    return isSecret || CHECKED.has(pattern) ? text : replace(text, count++, position);
  };
  function* visit(
    value: unknown,
    pattern: string,
    step: string | number,
    above: Position | undefined,
  ): Sliced<unknown> {
    if (typeof value !== 'object' || value === null) return value;
    const here: Position = { step, above };
    const isList = Array.isArray(value);
    const isLabels = !isList && LABELS.test(pattern);
    const list: unknown[] = [];
    const copy: Record<string, unknown> = {};
    for (const [key, inner] of isList ? value.entries() : Object.entries(value)) {
      const innerPattern = `${pattern}.${isList || isLabels ? '*' : key}`;
      const visited =
        typeof inner === 'string'
          ? visitString(inner, innerPattern, { step: key, above: here })
          : yield* visit(inner, innerPattern, key, here);
      if (typeof key === 'number') list.push(visited);
      else setOwn(copy, key, visited);
      if (work < PAUSE_WORK) continue;
      work = 0;
      yield;
    }
    return isList ? list : copy;
  }
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(data)) {
    copy[key] =
      typeof value === 'string'
        ? visitString(value, key, { step: key, above: undefined })
        : yield* visit(value, key, key, undefined);
  }
  return copy;
}

/** Sets a field of any name: `__proto__`, too, is a field. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}

/** `environment[2].value`, as errors of fields name it. */
export const pathText = (path: Path): string =>
  path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index > 0 ? `.${step}` : step)).join('');

const VARIABLE = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
const CAPABILITY_NAME = /^[A-Za-z_]{1,64}$/;
/** Names of fields inside `metadata` and volumes. */
const KEY = /^[A-Za-z0-9._/-]+$/;

/** Refuses what is no valid name of Kubernetes: a template may write it without quotes. */
export function checkSyntax(request: JobRequest): void {
  checkMetadata(request.metadata);
  for (const [index, { name, value }] of request.placementConstraints.entries()) {
    if (!isLabelKey(name)) refuse(`placementConstraints[${index}].name is not the name of a node label.`);
    if (!isLabelValue(value)) refuse(`placementConstraints[${index}].value is not the value of a node label.`);
  }
  if (request.host !== '' && !OBJECT_NAME.parse(request.host).ok) refuse('host is not the name of a node.');
  if (accountsOf(request.config).some((account) => !OBJECT_NAME.parse(account).ok))
    refuse('config serviceAccountName is not the name of a service account.');
  if (secretsOf(request.config).some(({ variable }) => !VARIABLE.test(variable)))
    refuse('config secret does not name a variable.');
  checkImageName(request.container?.image ?? '', 'container.image');
  for (const name of [...(request.container?.capabilitiesAdd ?? []), ...(request.container?.capabilitiesDrop ?? [])])
    if (!CAPABILITY_NAME.test(name)) refuse('container: a capability is not the name of one.');
  checkVariables(request.environment, 'environment');
  for (const [index, init] of request.initContainers.entries()) {
    const field = `initContainers[${index}]`;
    if (!DNS_LABEL.parse(init.name).ok) refuse(`${field}.name must be ${DNS_LABEL.allowed}.`);
    checkImageName(init.image, `${field}.image`);
    checkVariables(init.environment, `${field}.environment`);
  }
  for (const [index, init] of metadataInitContainers(request).entries())
    checkImageName(init.image ?? '', `metadata.pod.initContainers[${index}].image`);
  for (const [index, mount] of request.mounts.entries()) checkKeys(mount.source, `mounts[${index}].source`);
  for (const [index, init] of request.initContainers.entries())
    for (const mount of init.mounts) checkKeys(mount.source, `initContainers[${index}].mounts`);
}

function checkImageName(image: string, field: string): void {
  if (image !== '' && !IMAGE.parse(image).ok) refuse(`${field} is not the name of an image.`);
}

function checkVariables(variables: JobRequest['environment'], field: string): void {
  for (const [index, { name }] of variables.entries())
    if (!VARIABLE.test(name)) refuse(`${field}[${index}].name is not the name of a variable.`);
}

function checkMetadata(metadata: JobRequest['metadata']): void {
  if (metadata === undefined) return;
  for (const name of ['job', 'pod', 'service'] as const) {
    const ofObject = metadata[name];
    if (!isObject(ofObject)) continue;
    for (const kind of ['labels', 'annotations'] as const) {
      const entries = ofObject[kind];
      if (!isObject(entries)) continue;
      for (const [key, value] of Object.entries(entries)) {
        if (!isLabelKey(key)) refuse(`metadata.${name}.${kind}: a key is not one that Kubernetes accepts.`);
        if (kind === 'labels' && !isLabelValue(String(value)))
          refuse(`metadata.${name}.labels: the value of ${key} is not one that Kubernetes accepts.`);
      }
    }
  }
  checkKeys(metadata, 'metadata');
}

function checkKeys(value: unknown, field: string): void {
  if (Array.isArray(value)) for (const item of value) checkKeys(item, field);
  if (!isObject(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    if (!KEY.test(key))
      refuse(`${field}: the name of a field has characters other than letters, digits, ".", "_", "/" and "-".`);
    checkKeys(inner, field);
  }
}
