/** Paged lists, restarted when the continue token expires. */
import type { KubernetesObject, Page, Resource, Selection } from '../contract.ts';
import { isExpired, KubernetesError } from '../kubernetes-error.ts';
import { queryOf, resourcePath } from '../paths.ts';

/** Reads a path with a query and returns the parsed body. */
export type GetJson = (path: string, query: string) => Promise<unknown>;

interface ListOptions<T extends KubernetesObject> {
  readonly resource: Resource<T>;
  readonly namespace: string;
  readonly selection: Selection;
  /** 0: no limit. */
  readonly fetchLimit: number;
  readonly get: GetJson;
  /** Called with each page. */
  readonly onPage: (items: readonly T[]) => void;
  /** The list starts again; the pages before do not count. */
  readonly onRestart: () => void;
}

/**
 * Lists page by page, consistently and without resourceVersion (kubernetes-facts.md 97), and returns the version of the list. When
 * the continue token expires (410, kubernetes-facts.md 98) the list starts again, the second time as one page.
 */
export async function listPages<T extends KubernetesObject>(options: ListOptions<T>): Promise<string> {
  const { resource, selection } = options;
  const path = resourcePath(resource, options.namespace);
  let limit = options.fetchLimit;
  let restarts = 0;
  let next: string | undefined;
  let version: string | undefined;
  for (;;) {
    const query = queryOf({ ...selection, limit: limit > 0 ? limit : undefined, continue: next });
    let page: RawPage<T>;
    try {
      page = pageOf<T>(await options.get(path, query), path);
    } catch (error) {
      if (next === undefined || !isExpired(error)) throw error;
      if (++restarts > 1) limit = 0;
      next = undefined;
      version = undefined;
      options.onRestart();
      continue;
    }
    version ??= page.resourceVersion;
    options.onPage(page.items);
    if (page.next === '') return version;
    next = page.next;
  }
}

/** Collects all pages in memory. */
export async function listAll<T extends KubernetesObject>(
  options: Omit<ListOptions<T>, 'onPage' | 'onRestart'>,
): Promise<Page<T>> {
  let items: T[] = [];
  const resourceVersion = await listPages({
    ...options,
    onPage: (page) => {
      for (const item of page) items.push(item);
    },
    onRestart: () => {
      items = [];
    },
  });
  return { items, resourceVersion };
}

interface RawPage<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly next: string;
}

function pageOf<T>(body: unknown, path: string): RawPage<T> {
  const list = body as { items?: unknown; metadata?: { resourceVersion?: unknown; continue?: unknown } } | null;
  const resourceVersion = list?.metadata?.resourceVersion;
  const next = list?.metadata?.continue ?? '';
  const items = list?.items ?? [];
  if (typeof resourceVersion !== 'string' || typeof next !== 'string' || !Array.isArray(items)) {
    throw new KubernetesError({ code: 'bad-answer', method: 'GET', path, text: 'the answer is not a list of objects' });
  }
  return { items, resourceVersion, next };
}
