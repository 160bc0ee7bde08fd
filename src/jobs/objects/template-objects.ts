/**
 * The Job and the Service of a job where launcher templates are in use: rendered, checked against injection, completed
 * with what the plugin needs, and judged by the policy.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { isObject } from '../../system/json.ts';
import type { Sliced, Slices } from '../../system/slices.ts';
import {
  checkShape,
  type RenderedObject,
  renderObject,
  type TemplateName,
  type Templating,
  templateRefusal,
  valueAt,
} from './from-template.ts';
import type { ResolvedJob } from './resolved.ts';
import { checkSyntax, type TemplateDataContext, templateData } from './template-data.ts';
import { mergeJob, mergeService } from './template-merge.ts';
import { renderSafely } from './template-safety.ts';

/** The templates in use and who is informed of what had to be changed in their output. */
export interface TemplateContext extends Templating {
  /** Runs the renderings of the job. */
  readonly slices: Slices;
  readonly onChanges: (template: TemplateName, changes: readonly string[]) => void;
}

/** `generate`: builds the Job without templates; its volumes get none of the reserved names. */
export function* jobFromTemplate(
  resolved: ResolvedJob,
  templates: TemplateContext,
  context: TemplateDataContext,
  generate: (reserved: ReadonlySet<string>) => KubernetesJob,
): Sliced<KubernetesJob> {
  checkSyntax(resolved.request);
  const render = (generated: KubernetesJob) =>
    renderSafely(templates, 'job.tpl', templateData(resolved, generated, context));
  let generated = generate(new Set());
  yield;
  let safe = yield* render(generated);
  const taken = safe === undefined ? [] : repeatedVolumes(safe.rendered);
  if (taken.length > 0) {
    generated = generate(new Set(taken));
    safe = yield* render(generated);
  }
  if (safe === undefined) throw templateRefusal('job.tpl', 'it renders nothing');
  const inits = generated.spec?.template.spec?.initContainers ?? [];
  if (inits.length > 0) {
    const own = new Set(yield* ownInitContainers(resolved, generated, templates, context));
    const doubled = inits.find(({ name }) => own.has(name));
    if (doubled !== undefined)
      throw templateRefusal('job.tpl', `its init container ${doubled.name} has the name of one of the job`);
  }
  checkShape(safe.rendered, 'batch/v1', 'Job');
  yield;
  const { object, changes } = mergeJob(safe.rendered.object as KubernetesJob, generated, resolved);
  yield;
  resolved.checkResult(object, safe.fromJob);
  yield;
  templates.onChanges('job.tpl', changes);
  return object;
}

/**
 * Names of init containers that the template has without the job: it renders them also for a job without any. Those of
 * the job get the limits and the security of the job.
 */
function* ownInitContainers(
  resolved: ResolvedJob,
  generated: KubernetesJob,
  templates: TemplateContext,
  context: TemplateDataContext,
): Sliced<readonly unknown[]> {
  const { metadata } = resolved.request;
  const pod = metadata?.['pod'];
  const request = {
    ...resolved.request,
    initContainers: [],
    ...(isObject(pod) ? { metadata: { ...metadata, pod: { ...pod, initContainers: [] } } } : {}),
  };
  const data = templateData({ ...resolved, request }, generated, context);
  const rendered = yield* renderObject(templates, 'job.tpl', data, (_, text) => text);
  const inits = valueAt(rendered?.object, ['spec', 'template', 'spec', 'initContainers']);
  return (Array.isArray(inits) ? inits : []).map((init: unknown) => valueAt(init, ['name']));
}

/** Names of volumes that both the job and the template use. */
function repeatedVolumes({ object }: RenderedObject): readonly string[] {
  const volumes = valueAt(object, ['spec', 'template', 'spec', 'volumes']);
  const seen = new Set<unknown>();
  return (Array.isArray(volumes) ? volumes : []).flatMap((volume: unknown) => {
    const name = valueAt(volume, ['name']);
    const isRepeated = seen.size === seen.add(name).size;
    return isRepeated && typeof name === 'string' ? [name] : [];
  });
}

/** What is reported instead of a changed field where `service.tpl` renders nothing. */
export const NO_SERVICE = 'it renders no Service';

/** Undefined: the template renders no Service. */
export function* serviceFromTemplate(
  resolved: ResolvedJob,
  templates: TemplateContext,
  context: TemplateDataContext,
  job: KubernetesJob,
  generated: Service,
): Sliced<Service | undefined> {
  const safe = yield* renderSafely(templates, 'service.tpl', templateData(resolved, job, context));
  if (safe === undefined) {
    templates.onChanges('service.tpl', [NO_SERVICE]);
    return undefined;
  }
  checkShape(safe.rendered, 'v1', 'Service');
  const { object, changes } = mergeService(safe.rendered.object as Service, generated);
  templates.onChanges('service.tpl', changes);
  return object;
}
