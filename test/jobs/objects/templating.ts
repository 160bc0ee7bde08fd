/** Launcher templates in tests: parsed from text, with the Job that they make of a request. */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { PodSpec, Service } from 'kubernetes-types/core/v1.d.ts';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { JobError } from '../../../src/jobs/job-error.ts';
import type { ResolvedJob } from '../../../src/jobs/objects/resolved.ts';
import type { TemplateContext } from '../../../src/jobs/objects/template-objects.ts';
import { buildServiceOf, type ManifestContext } from '../../../src/jobs/objects/to-job.ts';
import { runAtOnce, Slices, Turns } from '../../../src/system/slices.ts';
import { TEMPLATE_FUNCTIONS } from '../../../src/templates/functions/function-table.ts';
import { parseTemplates } from '../../../src/templates/language/set.ts';
import { builtJob, CONTEXT, resolved } from '../requests.ts';

/** A template that sets nothing that it need not set; what follows is of its container. */
export const BARE_TEMPLATE = `apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      containers:
        - name: rs-launcher-container
`;

/** A small template with the constructs that templates of sites use. */
export const JOB_TEMPLATE = `# Version: 2.5.0
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ toYaml .Job.generateName }}
  labels:
    site: yes-please
  annotations:
    from: template
spec:
  backoffLimit: 3
  template:
    metadata:
      annotations:
        name: {{ toYaml .Job.name }}
        {{- range $i, $tag := .Job.tags }}
        USER_TAG_{{ add $i 1 }}: {{ toYaml $tag }}
        {{- end }}
    spec:
      restartPolicy: Never
      shareProcessNamespace: {{ .Job.shareProcessNamespace }}
      containers:
        - name: rs-launcher-container
          image: {{ toYaml .Job.container.image }}
          {{- if .Job.command }}
          command: ["/bin/sh"]
          args:
            - -c
            - {{ toJson (printf "%s %s" .Job.command (join " " .Job.args)) }}
          {{- else }}
          command: [{{ toJson .Job.exe }}]
          args: {{ toJson .Job.args }}
          {{- end }}
          env:
            - name: FROM_TEMPLATE
              value: "1"
            {{- range .Job.environment }}
            - name: {{ .name }}
              value: {{ toJson .value }}
            {{- end }}
          {{- with .Job.resourceLimits }}
          resources:
            limits:
              {{- range . }}
              {{- if eq .type "cpuCount" }}
              cpu: {{ toYaml .value }}
              {{- end }}
              {{- if eq .type "memory" }}
              memory: {{ printf "%sM" .value }}
              {{- end }}
              {{- end }}
          {{- end }}
          {{- with .Job.volumeMounts }}
          volumeMounts: {{ toYaml . | nindent 12 }}
          {{- end }}
      {{- with .Job.volumes }}
      volumes: {{ toYaml . | nindent 8 }}
      {{- end }}
`;

export const SERVICE_TEMPLATE = `apiVersion: v1
kind: Service
metadata:
  name: {{ .Job.serviceName }}
  labels:
    site: services
spec:
  type: ClusterIP
  ports:
    {{- range $i, $port := .Job.exposedPorts }}
    - name: p{{ $i }}
      port: {{ $port.targetPort }}
      protocol: {{ $port.protocol }}
    {{- end }}
`;

interface Made {
  readonly job: KubernetesJob;
  readonly pod: PodSpec;
  readonly changes: readonly string[];
}

/** A busy host refuses nothing. */
const cpuTime = (): number => 0;

/** The templates of these files. */
export function templatesOf(files: Readonly<Record<string, string>>, changes: string[] = []): TemplateContext {
  const sources = Object.entries(files).map(([name, text]) => ({ name, text }));
  return {
    set: parseTemplates(sources, TEMPLATE_FUNCTIONS).set,
    now: 1_767_322_800_000,
    cpuTime,
    slices: new Slices(new Turns(), cpuTime),
    onChanges: (name, list) => changes.push(...list.map((change) => `${name}: ${change}`)),
  };
}

const contextOf = (files: Readonly<Record<string, string>>, changes: string[]): ManifestContext => ({
  ...CONTEXT,
  templates: templatesOf(files, changes),
});

/** The Job that `job.tpl` makes of a request. */
export function rendered(
  template: string,
  request: Partial<JobRequest> = {},
  policy: Partial<ResolvedJob> & { readonly lines?: string } = {},
): Made {
  const changes: string[] = [];
  const context = contextOf({ 'job.tpl': template }, changes);
  const job = builtJob(resolved({ command: 'true', ...request }, policy), context);
  const pod = job.spec?.template.spec;
  if (pod === undefined || pod === null) throw new Error('the Job has no pod spec');
  return { job, pod, changes };
}

/** The sentence that refuses a request under `job.tpl`; 'allowed' if it is not refused. */
export function refusedBy(
  template: string,
  request: Partial<JobRequest> = {},
  policy: Partial<ResolvedJob> & { readonly lines?: string } = {},
): string {
  try {
    rendered(template, request, policy);
    return 'allowed';
  } catch (error) {
    if (error instanceof JobError && error.code === 'invalid-request') return error.message;
    throw error;
  }
}

/** The Service that `service.tpl` makes of a request. */
export function renderedService(
  template: string,
  request: Partial<JobRequest> = {},
): { readonly service: Service | undefined; readonly changes: readonly string[] } {
  const changes: string[] = [];
  const ports = { exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] };
  const context = contextOf({ 'service.tpl': template }, changes);
  return { service: runAtOnce(buildServiceOf(resolved({ ...ports, ...request }), context, 'NodePort')), changes };
}
