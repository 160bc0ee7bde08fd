/**
 * Everything that jobs and pods of a cluster were. The recorder looked at moments; an answer agrees if this cluster went
 * through the same state, whenever that was.
 */
import { isObject, type Json } from '../api/patch.ts';
import { JOBS, PODS, type Resource } from '../api/resources.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { StoredObject } from '../model.ts';
import { normal } from './normal.ts';

export interface History {
  /** Whether a GET of this path could once have had this answer (normalised, as text). */
  readonly had: (path: string, answer: string) => boolean;
  /** Whether the object of this path once had this status (normalised, as text). */
  readonly hadStatus: (path: string, status: string) => boolean;
  /** Names of the pods that a Job has had, the oldest first. */
  readonly podsOf: (job: string) => readonly string[];
  readonly close: () => void;
}

const OBJECT = /\/(jobs|pods)\/([^/?]+)(?:\?|$)/;
const LIST = /\/pods\?labelSelector=batch\.kubernetes\.io(?:%2F|\/)job-name(?:%3D|=)([^&]+)$/;

/** Made into text only when somebody asks: few of them are ever compared. */
class Version {
  readonly object: StoredObject;
  #text: { whole: string; item: string; status: string } | undefined;

  constructor(object: StoredObject) {
    this.object = object;
  }

  /** As an answer of its own, as an item of a list, and its status alone. */
  get text(): { readonly whole: string; readonly item: string; readonly status: string } {
    if (this.#text === undefined) {
      const json: Json = JSON.parse(JSON.stringify(this.object));
      const whole = normal(json);
      const { kind: _kind, apiVersion: _version, ...rest } = isObject(whole) ? whole : {};
      this.#text = { whole: JSON.stringify(whole), item: JSON.stringify(rest), status: JSON.stringify(rest['status']) };
    }
    return this.#text;
  }
}

export function recordHistory(cluster: SimulatedCluster): History {
  /** `jobs/NAME`, `pods/NAME`, and `pods of JOB` -> what they were. */
  const versions = new Map<string, Version[]>();

  function add(key: string, version: Version): void {
    const list = versions.get(key);
    if (list === undefined) versions.set(key, [version]);
    else list.push(version);
  }
  function keep(resource: Resource, object: StoredObject): void {
    const version = new Version(object);
    add(`${resource.plural}/${object.metadata.name}`, version);
    const job = object.metadata.labels?.['job-name'];
    if (resource.plural === PODS.plural && job !== undefined) add(`pods of ${job}`, version);
  }
  function of(path: string): Version[] {
    const [, plural, name] = OBJECT.exec(path) ?? [];
    return versions.get(`${plural}/${name}`) ?? [];
  }

  const stop = [JOBS, PODS].map((resource: Resource) =>
    cluster.store.listen(resource, ({ type, object }) => {
      if (type !== 'DELETED') keep(resource, object);
    }),
  );
  return {
    had: (path, answer) => {
      const [, job] = LIST.exec(path) ?? [];
      if (job === undefined) return of(path).some(({ text }) => text.whole === answer);
      if (listText('') === answer) return true;
      return (versions.get(`pods of ${job}`) ?? []).some(({ text }) => listText(text.item) === answer);
    },
    hadStatus: (path, status) => of(path).some(({ text }) => text.status === status),
    podsOf: (job) => [...new Set((versions.get(`pods of ${job}`) ?? []).map(({ object }) => object.metadata.name))],
    close: () => {
      for (const unlisten of stop) unlisten();
    },
  };
}

function listText(item: string): string {
  return `{"apiVersion":"v1","items":[${item}],"kind":"PodList","metadata":{}}`;
}
