/** Paged lists, restarted when the continue token expires. */
import type { KubernetesObject, Page, Resource, Selection } from '../contract.ts';
import { ANSWER_TOO_LONG, isExpired, KubernetesError } from '../kubernetes-error.ts';
import { queryOf, resourcePath } from '../paths.ts';

/** Reads a path with a query and returns the parsed body. */
export type GetJson = (path: string, query: string) => Promise<unknown>;

/** Restarts of one list; then it fails, and the caller's backoff applies. */
const MAX_RESTARTS = 4;
/** Objects in a page where no limit is configured and the list is too long. */
const DEFAULT_LIMIT = 2_000;

interface ListOptions<T extends KubernetesObject> {
  readonly resource: Resource<T>;
  readonly namespace: string;
  readonly selection: Selection;
  /** 0: no limit. */
  readonly fetchLimit: number;
  /** False: the version may be missing, as in lists of metrics.k8s.io; it is '' then. */
  readonly isVersioned: boolean;
  readonly get: GetJson;
  /** Called with each page. */
  readonly onPage: (items: readonly T[]) => void;
  /** The list starts again; the pages before do not count. */
  readonly onRestart: () => void;
}

/**
 * Lists page by page, consistently and without resourceVersion (kubernetes-facts.md 97), and returns the version of the list. When
 * the continue token expires (410, kubernetes-facts.md 98) the list starts again, from the second time on with longer pages. A page
 * that is too long for memory is requested again with fewer objects.
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
      page = pageOf<T>(await options.get(path, query), path, options.isVersioned);
    } catch (error) {
      if (isTooLong(error) && limit !== 1) {
        limit = Math.max(1, Math.floor((limit || DEFAULT_LIMIT) / 4));
        continue;
      }
      if (next === undefined || !isExpired(error) || ++restarts > MAX_RESTARTS) throw error;
      if (restarts > 1) limit *= 10;
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
  options: Omit<ListOptions<T>, 'isVersioned' | 'onPage' | 'onRestart'>,
): Promise<Page<T>> {
  let items: T[] = [];
  const resourceVersion = await listPages({
    ...options,
    isVersioned: false,
    onPage: (page) => {
      for (const item of page) items.push(item);
    },
    onRestart: () => {
      items = [];
    },
  });
  return { items, resourceVersion };
}

function isTooLong(error: unknown): boolean {
  return error instanceof KubernetesError && error.reason === ANSWER_TOO_LONG;
}

interface RawPage<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly next: string;
}

function pageOf<T>(body: unknown, path: string, isVersioned: boolean): RawPage<T> {
  const list = body as { items?: unknown; metadata?: { resourceVersion?: unknown; continue?: unknown } } | null;
  const resourceVersion =
    list?.metadata?.resourceVersion ?? (isVersioned || list?.metadata === undefined ? undefined : '');
  const next = list?.metadata?.continue ?? '';
  // Without a version only the items show that this is a list.
  const items = list?.items ?? (resourceVersion === '' ? undefined : []);
  if (typeof resourceVersion !== 'string' || typeof next !== 'string' || !Array.isArray(items)) {
    throw new KubernetesError({ code: 'bad-answer', method: 'GET', path, text: 'the answer is not a list of objects' });
  }
  return { items, resourceVersion, next };
}
