/**
 * What a well-formed object may still not say: the 422 of the API server, texts as recorded (kubernetes-facts.md 35, 68, 113).
 */
import { isDeepStrictEqual } from 'node:util';
import type { Container, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { quantity } from '../kubelet/quantity.ts';
import type { Job, Pod, Secret, Service, StoredObject } from '../model.ts';
import { JOBS, PODS, type Resource, SECRETS, SERVICES } from './resources.ts';
import { type Cause, invalid } from './status.ts';
import type { Draft } from './store.ts';

const LABEL_NAME =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const KEY_NAME =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const IS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const IS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const IS_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const IS_KEY = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const ANNOTATION_BYTES = 262_144;
const MAX_INT32 = 2_147_483_647;

const required = (field: string, text = ''): Cause => ({
  reason: 'FieldValueRequired',
  message: `Required value${text === '' ? '' : `: ${text}`}`,
  field,
});
const wrong = (field: string, value: unknown, text: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value)}: ${text}`,
  field,
});
const unsupported = (field: string, value: unknown, supported: readonly string[]): Cause => ({
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.map((one) => `"${one}"`).join(', ')}`,
  field,
});
const forbiddenField = (field: string, text: string): Cause => ({
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${text}`,
  field,
});

/** @throws ApiError 422 */
export function checkNew(resource: Resource, object: Draft<StoredObject>): void {
  const causes = [...metadataCauses(resource, object), ...contentCauses(resource, object)];
  if (causes.length > 0) throw invalid(resource.kind, resource.group, object.metadata.name ?? '', causes);
}

/** @throws ApiError 422 */
export function checkChanged(resource: Resource, next: StoredObject, current: StoredObject): void {
  const causes = [
    ...mapCauses(next.metadata.labels, next.metadata.annotations, 'metadata.labels', 'metadata.annotations'),
    ...changeCauses(resource, next, current),
  ];
  if (causes.length > 0) throw invalid(resource.kind, resource.group, next.metadata.name, causes);
}

function metadataCauses(resource: Resource, { metadata }: Draft<StoredObject>): Cause[] {
  const { name = '', generateName, labels, annotations } = metadata;
  const [format, text] = resource === SERVICES ? [IS_LABEL, LABEL_NAME] : [IS_SUBDOMAIN, SUBDOMAIN];
  const naming =
    name === '' && generateName === undefined
      ? [required('metadata.name', 'name or generateName is required')]
      : format.test(name)
        ? []
        : [wrong('metadata.name', name, text)];
  return [...naming, ...mapCauses(labels, annotations, 'metadata.labels', 'metadata.annotations')];
}

function mapCauses(
  labels: Readonly<Record<string, string>> | undefined,
  annotations: Readonly<Record<string, string>> | undefined,
  labelsField: string,
  annotationsField: string,
): Cause[] {
  const values = Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...keyCauses(labelsField, key),
    ...(value.length > 63 ? [wrong(labelsField, value, 'must be no more than 63 bytes')] : []),
    ...(IS_VALUE.test(value) ? [] : [wrong(labelsField, value, LABEL_VALUE)]),
  ]);
  const keys = Object.keys(annotations ?? {}).flatMap((key) => keyCauses(annotationsField, key));
  const size = Object.entries(annotations ?? {}).reduce((sum, [key, value]) => sum + Buffer.byteLength(key + value), 0);
  const tooLong = {
    reason: 'FieldValueTooLong',
    message: `Too long: may not be more than ${ANNOTATION_BYTES} bytes`,
    field: annotationsField,
  };
  return [...values, ...keys, ...(size > ANNOTATION_BYTES ? [tooLong] : [])];
}

function keyCauses(field: string, key: string): Cause[] {
  const name = key.slice(key.indexOf('/') + 1);
  return IS_KEY.test(name) ? [] : [wrong(field, key, KEY_NAME)];
}

function contentCauses(resource: Resource, object: Draft<StoredObject>): Cause[] {
  switch (resource.plural) {
    case JOBS.plural:
      return jobCauses((object as Draft<Job>).spec);
    case PODS.plural:
      return podCauses((object as Draft<Pod>).spec, 'spec', false);
    case SERVICES.plural:
      return serviceCauses((object as Draft<Service>).spec);
    default:
      return [];
  }
}

const COUNTS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
] as const;

function jobCauses(spec: Job['spec']): Cause[] {
  const counts = COUNTS.flatMap((name) => {
    const value = spec[name];
    return value !== undefined && value < 0 ? [wrong(`spec.${name}`, value, 'must be greater than or equal to 0')] : [];
  });
  const { metadata, spec: template } = spec.template;
  const maps = mapCauses(metadata?.labels, metadata?.annotations, 'spec.template.labels', 'spec.template.annotations');
  return [...counts, ...maps, ...(template === undefined ? [] : podCauses(template, 'spec.template.spec', true))];
}

function podCauses(spec: PodSpec, field: string, ofJob: boolean): Cause[] {
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  const containers = (name: 'containers' | 'initContainers'): Cause[] =>
    (spec[name] ?? []).flatMap((one, index) => containerCauses(one, `${field}.${name}[${index}]`, volumes, ofJob));
  const none = spec.containers.length === 0 ? [required(`${field}.containers`)] : [];
  const deadline = spec.activeDeadlineSeconds;
  const restart =
    ofJob && spec.restartPolicy !== 'Never' && spec.restartPolicy !== 'OnFailure'
      ? [required(`${field}.restartPolicy`, 'valid values: "OnFailure", "Never"')]
      : [];
  return [
    ...containers('initContainers'),
    ...none,
    ...containers('containers'),
    ...deadlineCauses(deadline, `${field}.activeDeadlineSeconds`),
    ...restart,
  ];
}

function deadlineCauses(value: number | undefined, field: string): Cause[] {
  if (value === undefined || (value >= 1 && value <= MAX_INT32)) return [];
  return [wrong(field, value, `must be between 1 and ${MAX_INT32}, inclusive`)];
}

function containerCauses(container: Container, field: string, volumes: ReadonlySet<string>, ofJob: boolean): Cause[] {
  const { name = '', image = '', env = [], ports = [], volumeMounts = [], imagePullPolicy, resources } = container;
  const policies = ['Always', 'IfNotPresent', 'Never'];
  const causes: Cause[] = [];
  if (name === '') causes.push(required(`${field}.name`));
  else if (!IS_LABEL.test(name)) causes.push(wrong(`${field}.name`, name, LABEL_NAME));
  if (image === '') causes.push(required(`${field}.image`));
  // Only a pod's own validation looks at blanks: a Job with such an image is accepted (kubernetes-facts.md 26).
  else if (!ofJob && image.trim() !== image) {
    causes.push(wrong(`${field}.image`, image, 'must not have leading or trailing whitespace'));
  }
  for (const [index, port] of ports.entries()) {
    for (const key of ['containerPort', 'hostPort'] as const) {
      const value = port[key];
      if (value !== undefined && (value < 1 || value > 65535)) {
        causes.push(wrong(`${field}.ports[${index}].${key}`, value, 'must be between 1 and 65535, inclusive'));
      }
    }
  }
  for (const [index, variable] of env.entries()) {
    if (/^[\x20-\x3c\x3e-\x7e]+$/.test(variable.name)) continue;
    const text = "a valid environment variable name must consist only of printable ASCII characters other than '='";
    causes.push(
      variable.name === ''
        ? required(`${field}.env[${index}].name`)
        : wrong(`${field}.env[${index}].name`, variable.name, text),
    );
  }
  for (const [index, mount] of volumeMounts.entries()) {
    if (volumes.has(mount.name)) continue;
    causes.push({
      reason: 'FieldValueNotFound',
      message: `Not found: ${JSON.stringify(mount.name)}`,
      field: `${field}.volumeMounts[${index}].name`,
    });
  }
  if (imagePullPolicy !== undefined && !policies.includes(imagePullPolicy)) {
    causes.push(unsupported(`${field}.imagePullPolicy`, imagePullPolicy, policies));
  }
  return [...causes, ...resourceCauses(resources, `${field}.resources`)];
}

function resourceCauses(resources: Container['resources'], field: string): Cause[] {
  const { limits = {}, requests = {} } = resources ?? {};
  const negative = (list: Readonly<Record<string, string>>, name: string): Cause[] =>
    Object.entries(list).flatMap(([key, text]) =>
      quantity(text) < 0 ? [wrong(`${field}.${name}[${key}]`, text, 'must be greater than or equal to 0')] : [],
    );
  const above = Object.entries(requests).flatMap(([key, text]) => {
    const limit = limits[key];
    if (limit === undefined || quantity(text) <= quantity(limit)) return [];
    return [wrong(`${field}.requests`, text, `must be less than or equal to ${key} limit of ${limit}`)];
  });
  return [...negative(limits, 'limits'), ...negative(requests, 'requests'), ...above];
}

function serviceCauses({ ports = [] }: Service['spec']): Cause[] {
  return ports.flatMap((port, index) => {
    const field = `spec.ports[${index}]`;
    const isPort = (value: unknown): boolean => typeof value !== 'number' || (value >= 1 && value <= 65535);
    const range = 'must be between 1 and 65535, inclusive';
    return [
      ...(ports.length > 1 && (port.name ?? '') === '' ? [required(`${field}.name`)] : []),
      ...(isPort(port.port) ? [] : [wrong(`${field}.port`, port.port, range)]),
      ...(isPort(port.targetPort) ? [] : [wrong(`${field}.targetPort`, port.targetPort, range)]),
    ];
  });
}

function changeCauses(resource: Resource, next: StoredObject, current: StoredObject): Cause[] {
  switch (resource.plural) {
    case JOBS.plural:
      return jobChanges(next as Job, current as Job);
    case PODS.plural:
      return podChanges((next as Pod).spec, (current as Pod).spec);
    case SECRETS.plural:
      return secretChanges(next as Secret, current as Secret);
    default:
      return [];
  }
}

function jobChanges(next: Job, current: Job): Cause[] {
  const immutable = 'field is immutable';
  const causes = jobCauses(next.spec);
  if (next.spec.completions !== current.spec.completions) {
    causes.push(wrong('spec.completions', next.spec.completions, immutable));
  }
  if (!isDeepStrictEqual(next.spec.selector, current.spec.selector)) causes.push(...selectorChanges(next));
  // A suspended Job that never ran may change where its pods go (kubernetes-facts.md 58).
  const idle = current.spec.suspend === true && current.status.startTime === undefined;
  const fixed = ({ spec }: Job): unknown => {
    const { nodeSelector, tolerations, affinity, ...rest } = spec.template.spec ?? { containers: [] };
    return idle ? rest : { ...rest, nodeSelector, tolerations, affinity };
  };
  if (!isDeepStrictEqual(fixed(next), fixed(current))) {
    causes.push(wrong('spec.template.spec', next.spec.template.spec, immutable));
  }
  return causes;
}

/** Go writes the members of a map in order of their names, and this check runs twice (recorded in 18-errors). */
function selectorChanges({ spec }: Job): Cause[] {
  const sorted = (map: Readonly<Record<string, string>> = {}): Record<string, string> =>
    Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
  const selector = { ...spec.selector, matchLabels: sorted(spec.selector?.matchLabels) };
  const labels = sorted(spec.template.metadata?.labels);
  const field = 'spec.template.metadata.labels';
  const unmatched = Object.entries(selector.matchLabels).some(([key, value]) => labels[key] !== value)
    ? Array(2).fill(wrong(field, labels, '`selector` does not match template `labels`'))
    : [];
  return [
    wrong('spec.selector', selector, '`selector` not auto-generated'),
    ...unmatched,
    wrong('spec.selector', selector, 'field is immutable'),
  ];
}

const POD_CHANGES =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function podChanges(next: PodSpec, current: PodSpec): Cause[] {
  const field = 'spec.activeDeadlineSeconds';
  const { activeDeadlineSeconds: after, ...nextRest } = next;
  const { activeDeadlineSeconds: before, ...currentRest } = current;
  const range = deadlineCauses(after, field);
  if (range.length > 0) return range;
  if (before !== undefined && after === undefined) {
    return [wrong(field, null, 'must not update from a positive integer to nil value')];
  }
  if (before !== undefined && after !== undefined && after > before) {
    return [wrong(field, after, 'must be less than or equal to previous value')];
  }
  return isDeepStrictEqual(nextRest, currentRest) ? [] : [forbiddenField('spec', POD_CHANGES)];
}

function secretChanges(next: Secret, current: Secret): Cause[] {
  if (current.immutable !== true || isDeepStrictEqual(next.data, current.data)) return [];
  return [forbiddenField('data', 'field is immutable when `immutable` is set')];
}
