/**
 * Everything that jobs and pods were during a replay. The recorder looked at moments; an answer agrees if this cluster
 * went through the same state, whenever that was.
 */
import type { Json } from '../api/patch.ts';
import { JOBS, PODS, type Resource } from '../api/resources.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { StoredObject } from '../model.ts';
import { normal } from './normal.ts';

export interface History {
  /** Whether a GET of this path could once have had this answer (normalised, as text). */
  readonly had: (path: string, answer: string) => boolean;
  readonly close: () => void;
}

const OBJECT = /\/(jobs|pods)\/([^/?]+)$/;
const LIST = /\/pods\?labelSelector=batch\.kubernetes\.io(?:%2F|\/)job-name(?:%3D|=)([^&]+)$/;

interface Version {
  readonly object: StoredObject;
  /** As an answer of its own, and as an item of a list. */
  readonly whole: string;
  readonly item: string;
}

export function recordHistory(cluster: SimulatedCluster): History {
  const versions: Version[] = [];
  const listen = (resource: Resource): (() => void) =>
    cluster.store.listen(resource, ({ type, object }) => {
      if (type === 'DELETED') return;
      const { kind: _kind, apiVersion: _version, ...rest } = object;
      versions.push({ object, whole: textOf(object), item: textOf(rest) });
    });
  const stop = [listen(JOBS), listen(PODS)];
  return {
    had: (path, answer) => {
      const [, plural, name] = OBJECT.exec(path) ?? [];
      const kind = plural === 'jobs' ? 'Job' : 'Pod';
      if (name !== undefined) {
        return versions.some(
          ({ object, whole }) => object.kind === kind && object.metadata.name === name && whole === answer,
        );
      }
      const [, job] = LIST.exec(path) ?? [];
      if (job === undefined) return false;
      const pods = versions.filter(
        ({ object }) => object.kind === 'Pod' && object.metadata.labels?.['job-name'] === job,
      );
      return listText('') === answer || pods.some(({ item }) => listText(item) === answer);
    },
    close: () => {
      for (const unlisten of stop) unlisten();
    },
  };
}

function listText(item: string): string {
  return `{"apiVersion":"v1","items":[${item}],"kind":"PodList","metadata":{}}`;
}

function textOf(object: object): string {
  const json: Json = JSON.parse(JSON.stringify(object));
  return JSON.stringify(normal(json));
}
