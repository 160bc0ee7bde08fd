/** The field table has every field that the projections read: a missing one would be undefined with protobuf and set with JSON. */
import fc from 'fast-check';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { projectJob, projectOurPod, projectPod, projectService } from '../../../../src/jobs/view/projection.ts';
import { OBJECTS } from '../../../../src/kubernetes/watch/protobuf/field-table.ts';
import type { Message } from '../../../../src/kubernetes/watch/protobuf/reader.ts';
import { anyObject } from './objects.ts';

type JsonObject = { readonly [field: string]: unknown };

/** The same object; `read` receives the path of each field that is read, such as `status.conditions.type`. */
function recording(value: unknown, path: string, read: (path: string) => void): unknown {
  if (Array.isArray(value)) return value.map((element) => recording(element, path, read));
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, {
    get: (target, name) => {
      const found: unknown = Reflect.get(target, name);
      if (typeof name !== 'string' || !Object.hasOwn(target, name)) return found;
      const inner = path === '' ? name : `${path}.${name}`;
      read(inner);
      return recording(found, inner, read);
    },
  });
}

/** True if the table has the field of this path; below a scalar, and a map without an only key, anything goes. */
function has({ fields }: Message, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return true;
  return fields.some((field) => {
    if (field?.kind === 'inline') return has(field.message, [name, ...rest]);
    if (field?.name !== name) return false;
    if (field.message.onlyKey !== undefined)
      return rest.length === 0 || rest.join('.') === String(field.message.onlyKey);
    return field.kind === 'message' ? has(field.message, rest) : true;
  });
}

/** Paths that a projection reads and the table lacks. */
function missing(kind: string, project: (object: never) => unknown, runs: number): readonly string[] {
  const message = OBJECTS[kind];
  if (message === undefined) throw new Error(`no table for ${kind}`);
  const lacking = new Set<string>();
  const read = (path: string): void => {
    if (!has(message, path.split('.'))) lacking.add(path);
  };
  for (const fields of fc.sample(anyObject(kind), { numRuns: runs, seed: 5 })) {
    const object = JSON.parse(JSON.stringify({ ...(fields as JsonObject), kind, apiVersion: 'v1' }));
    try {
      project(recording(object, '', read) as never);
    } catch (error) {
      // An object without required fields.
      if (!(error instanceof TypeError)) throw error;
    }
  }
  return [...lacking].sort();
}

t.test('every field of a Job that its projection reads', async (t) => {
  t.strictSame(missing('Job', projectJob, 500), []);
});

t.test('every field of a Pod that its projection reads', async (t) => {
  t.strictSame(
    missing('Pod', (pod: Pod) => projectOurPod(pod, () => false), 200),
    [],
  );
  t.strictSame(missing('Pod', projectPod, 500), []);
});

t.test('every field of a Service that its projection reads', async (t) => {
  t.strictSame(missing('Service', projectService, 500), []);
});

t.test('a field that the table lacks is found', async (t) => {
  const project = (pod: { readonly spec?: { readonly priority?: number } }): unknown => pod.spec?.priority;
  t.strictSame(missing('Pod', project, 500), ['spec.priority']);
});
