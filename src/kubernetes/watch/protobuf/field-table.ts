/**
 * Field table: the fields of Kubernetes objects that are read from protobuf, with their numbers from the generated.proto files
 * of k8s.io/api and k8s.io/apimachinery. Other fields are skipped; a test compares the table with what the projection reads.
 */
import type { Field, Message } from './reader.ts';

/**
 * `number name type`: a lower-case type is a Field's kind, others are messages of this table. `*`: repeated; `!`: '', 0 and
 * false are kept (Field.zero); `^`: different in every object (Field.unique); name `-`: JSON inlines the fields of the
 * message.
 */
const MESSAGES: Readonly<Record<string, string>> = {
  Job: '1 metadata JobMeta, 2 spec JobSpec, 3 status JobStatus',
  JobMeta:
    '1 name text^, 5 uid text^, 6 resourceVersion text^, 8 creationTimestamp time, 9 deletionTimestamp time, ' +
    '11 labels map, 12 annotations map',
  JobSpec: '1 parallelism number!, 6 template PodTemplate, 10 suspend flag!',
  JobStatus: '1 conditions Condition*, 2 startTime time, 3 completionTime time, 4 active number, 9 ready number',
  Condition: '1 type text!, 2 status text!, 4 lastTransitionTime time, 5 reason text, 6 message text',

  PodTemplate: '1 metadata TemplateMeta, 2 spec TemplateSpec',
  TemplateMeta: '12 annotations map',
  TemplateSpec:
    '1 volumes Volume*, 2 containers Container*, 7 nodeSelector map, 8 serviceAccountName text, 10 nodeName text, ' +
    '14 securityContext PodSecurity, 20 initContainers Container*',
  PodSecurity: '2 runAsUser number!, 4 supplementalGroups number*, 6 runAsGroup number!',
  Container:
    '1 name text!, 2 image text, 3 command text*, 4 args text*, 5 workingDir text, 7 env Variable*, ' +
    '8 resources Resources, 9 volumeMounts VolumeMount*, 15 securityContext Security',
  Variable: '1 name text!, 2 value text, 3 valueFrom VariableSource',
  VariableSource: '4 secretKeyRef SecretKey',
  SecretKey: '1 - Reference, 2 key text!',
  Reference: '1 name text',
  Resources: '1 limits quantities, 2 requests quantities',
  VolumeMount: '1 name text!, 2 readOnly flag, 3 mountPath text!, 4 subPath text',
  Security: '1 capabilities Capabilities',
  Capabilities: '1 add text*, 2 drop text*',

  Volume: '1 name text!, 2 - VolumeSource',
  VolumeSource:
    '1 hostPath HostPath, 2 emptyDir EmptyDir, 6 secret SecretVolume, 7 nfs Nfs, 9 glusterfs Glusterfs, ' +
    '10 persistentVolumeClaim Claim, 14 cephfs CephFs, 16 downwardAPI DownwardVolume, 18 azureFile AzureFile, ' +
    '19 configMap ConfigMapVolume, 26 projected Projected, 28 csi Csi, 29 ephemeral Ephemeral, 30 image ImageVolume',
  HostPath: '1 path text!, 2 type text!',
  EmptyDir: '1 medium text, 2 sizeLimit quantity',
  SecretVolume: '1 secretName text, 2 items KeyToPath*, 3 defaultMode number!, 4 optional flag!',
  KeyToPath: '1 key text!, 2 path text!, 3 mode number!',
  Nfs: '1 server text!, 2 path text!, 3 readOnly flag',
  Glusterfs: '1 endpoints text!, 2 path text!, 3 readOnly flag',
  Claim: '1 claimName text!, 2 readOnly flag',
  CephFs: '1 monitors text*, 2 path text, 3 user text, 4 secretFile text, 5 secretRef Reference, 6 readOnly flag',
  AzureFile: '1 secretName text!, 2 shareName text!, 3 readOnly flag',
  ConfigMapVolume: '1 - Reference, 2 items KeyToPath*, 3 defaultMode number!, 4 optional flag!',
  DownwardVolume: '1 items DownwardFile*, 2 defaultMode number!',
  DownwardFile: '1 path text!, 2 fieldRef FieldOfPod, 3 resourceFieldRef ResourceField, 4 mode number!',
  FieldOfPod: '1 apiVersion text, 2 fieldPath text!',
  ResourceField: '1 containerName text, 2 resource text!, 3 divisor quantity',
  Projected: '1 sources Projection*, 2 defaultMode number!',
  Projection:
    '1 secret ProjectedKeys, 2 downwardAPI ProjectedDownward, 3 configMap ProjectedKeys, ' +
    '4 serviceAccountToken ProjectedToken, 5 clusterTrustBundle TrustBundle',
  ProjectedKeys: '1 - Reference, 2 items KeyToPath*, 4 optional flag!',
  ProjectedDownward: '1 items DownwardFile*',
  ProjectedToken: '1 audience text, 2 expirationSeconds number!, 3 path text!',
  TrustBundle: '1 name text!, 2 signerName text!, 4 path text!, 5 optional flag!',
  Csi: '1 driver text!, 2 readOnly flag!, 3 fsType text!, 4 volumeAttributes map, 5 nodePublishSecretRef Reference',
  Ephemeral: '1 volumeClaimTemplate ClaimTemplate',
  ClaimTemplate: '1 metadata ClaimMeta, 2 spec ClaimSpec',
  ClaimMeta: '11 labels map, 12 annotations map',
  ClaimSpec:
    '1 accessModes text*, 2 resources Resources, 3 volumeName text, 5 storageClassName text!, 6 volumeMode text!',
  ImageVolume: '1 reference text, 2 pullPolicy text',

  // A pod has the state of a job; its specification is read from the Job.
  Pod: '1 metadata PodMeta, 2 spec PodSpec, 3 status PodStatus',
  PodMeta:
    '1 name text^, 5 uid text^, 6 resourceVersion text^, 8 creationTimestamp time, 9 deletionTimestamp time, ' +
    '10 deletionGracePeriodSeconds number!, 11 labels podLabels, 13 ownerReferences PodOwner*',
  PodOwner: '1 kind text!, 4 uid text!, 6 controller flag!',
  Owner: '1 kind text!, 3 name text!, 4 uid text!, 6 controller flag!',
  PodSpec:
    '2 containers PodContainer*, 5 activeDeadlineSeconds number!, 10 nodeName text, 12 hostPID flag, ' +
    '20 initContainers PodContainer*, 27 shareProcessNamespace flag!',
  PodContainer: '1 name text!, 2 image text, 8 resources Limits',
  Limits: '1 limits quantities',
  PodStatus:
    '1 phase text, 2 conditions Condition*, 3 message text, 4 reason text, 5 hostIP text, 7 startTime time, ' +
    '8 containerStatuses ContainerStatus*, 10 initContainerStatuses ContainerStatus*, 12 podIPs PodIp*',
  ContainerStatus: '1 name text!, 2 state ContainerState',
  ContainerState: '1 waiting Waiting, 2 running Running, 3 terminated Terminated',
  Waiting: '1 reason text, 2 message text',
  Running: '1 startedAt time',
  Terminated: '1 exitCode number!, 3 reason text, 4 message text, 5 startedAt time, 6 finishedAt time',
  PodIp: '1 ip text',

  Service: '1 metadata ServiceMeta, 2 spec ServiceSpec, 3 status ServiceStatus',
  ServiceMeta:
    '1 name text^, 5 uid text^, 6 resourceVersion text^, 8 creationTimestamp time, 11 labels serviceLabels, ' +
    '13 ownerReferences Owner*',
  ServiceSpec: '1 ports ServicePort*, 3 clusterIP text, 4 type text, 18 clusterIPs text*',
  ServicePort: '2 protocol text, 3 port number!, 4 targetPort numberOrText, 5 nodePort number',
  ServiceStatus: '1 loadBalancer LoadBalancer',
  LoadBalancer: '1 ingress Ingress*',
  Ingress: '1 ip text, 2 hostname text',

  JobList: '1 metadata ListMeta, 2 items Job*',
  PodList: '1 metadata ListMeta, 2 items Pod*',
  ServiceList: '1 metadata ListMeta, 2 items Service*',
  ListMeta: '2 resourceVersion text, 3 continue text',

  Status: '2 status text, 3 message text, 4 reason text, 5 details Details, 6 code number',
  Details: '1 name text, 2 group text, 3 kind text, 4 causes Cause*, 5 retryAfterSeconds number, 6 uid text',
  Cause: '1 reason text, 2 message text, 3 field text',

  // Envelopes of bodies and watch events.
  Unknown: '1 typeMeta TypeMeta, 2 raw part, 3 contentEncoding text',
  TypeMeta: '1 apiVersion text, 2 kind text',
  WatchEvent: '1 type text, 2 object RawExtension',
  RawExtension: '1 raw part',

  // Messages that are not objects in JSON; a time has its own function.
  quantity: '1 string text',
  numberOrText: '1 type number, 2 number number!, 3 text text!',
  map: '1 key text, 2 value text',
  podLabels: '1 key text, 2 value text',
  serviceLabels: '1 key text, 2 value text',
  quantities: '1 key text, 2 value quantity',
};

/** The entry that is read of a map: others would cost more than the rest of the metadata. */
const ONLY_KEYS: Readonly<Record<string, string>> = {
  podLabels: 'app.kubernetes.io/managed-by',
  serviceLabels: 'job-name',
};

/** A volume of a kind that is not listed is reported, because jobs are shown with their volumes. */
const REPORTED: ReadonlySet<string> = new Set(['VolumeSource']);

/** Messages with equal bytes in many objects, or in all versions of one object. */
const RECURRING: ReadonlySet<string> = new Set(['Condition', 'ContainerState', 'Limits', 'TypeMeta']);

const KINDS: Readonly<Record<string, Field['kind']>> = {
  text: 'text',
  part: 'part',
  number: 'number',
  flag: 'flag',
  time: 'time',
  quantity: 'quantity',
  numberOrText: 'numberOrText',
  map: 'map',
  podLabels: 'map',
  serviceLabels: 'map',
  quantities: 'map',
};

const NOTHING: Message = { fields: [], reportsUnlisted: false, recurs: false };

/** By type: most messages are fields of several others. */
const messages = new Map<string, Message>();

function messageOf(type: string): Message {
  const known = messages.get(type);
  if (known !== undefined) return known;
  const fields: (Field | undefined)[] = [];
  for (const field of MESSAGES[type]?.split(', ') ?? []) {
    const [, number, name = '', of = '', mark] = /^(\d+) (\S+) (\w+)([*!^]?)$/.exec(field) ?? [];
    if (number === undefined || (KINDS[of] ?? MESSAGES[of]) === undefined) throw new Error(`BUG: ${type}: ${field}`);
    fields[Number(number)] = {
      name,
      kind: name === '-' ? 'inline' : (KINDS[of] ?? 'message'),
      repeated: mark === '*',
      zero: mark === '!',
      unique: mark === '^',
      message: of in MESSAGES ? messageOf(of) : NOTHING,
    };
  }
  const onlyKey = ONLY_KEYS[type];
  const message = {
    fields: Array.from(fields),
    reportsUnlisted: REPORTED.has(type),
    recurs: RECURRING.has(type),
    ...(onlyKey === undefined ? {} : { onlyKey: Buffer.from(onlyKey) }),
  };
  messages.set(type, message);
  return message;
}

/** The messages of kinds that can be read. */
export const OBJECTS: Readonly<Record<string, Message>> = Object.fromEntries(
  ['Job', 'JobList', 'Pod', 'PodList', 'Service', 'ServiceList', 'Status'].map((kind) => [kind, messageOf(kind)]),
);
export const ENVELOPE = messageOf('Unknown');
export const WATCH_EVENT = messageOf('WatchEvent');
