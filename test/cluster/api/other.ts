/**
 * What is asked for beside stored objects: version, health, metrics, access reviews, and paths that are not there.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { User } from '../accounts.ts';
import { type Access, authorize, deniedPath } from './access.ts';
import { sendJson, sendText } from './answer.ts';
import type { Metrics } from './metrics.ts';
import { bodyOf, type Route } from './request.ts';
import { review } from './reviews.ts';
import { unknownResource } from './status.ts';

interface Parts {
  readonly access: Access;
  readonly metrics: Metrics;
  readonly version: object;
}

/** Kinds that are not stored: reviews. */
export async function serveReview(
  { access }: Parts,
  request: IncomingMessage,
  response: ServerResponse,
  user: User,
  route: Extract<Route, { type: 'unknownResource' }>,
): Promise<void> {
  const { group, plural: name, namespace } = route;
  const verb = request.method === 'POST' ? 'create' : route.name === undefined ? 'list' : 'get';
  authorize(access, user, {
    verb,
    group,
    resource: name,
    namespace,
    ...(route.name === undefined ? {} : { name: route.name }),
  });
  if (request.method !== 'POST') throw unknownResource();
  const body = JSON.parse((await bodyOf(request)).toString() || '{}');
  const answered = review(name, body, user, access);
  if (answered === undefined) throw unknownResource();
  sendJson(response, 201, answered);
}

/** Everything that is not `/api/v1/...` or `/apis/GROUP/VERSION/...` of a group that is served. */
export async function servePath(
  parts: Parts,
  request: IncomingMessage,
  response: ServerResponse,
  user: User,
  pathname: string,
  query: URLSearchParams,
): Promise<void> {
  if (pathname === '/version' || pathname === '/version/') return sendJson(response, 200, parts.version);
  if (/^\/(readyz|healthz|livez)$/.test(pathname)) return sendText(response, 200, 'ok', 'text/plain; charset=utf-8');
  if (pathname.startsWith('/apis/metrics.k8s.io/')) {
    const answered = parts.metrics.answer(pathname, user, query);
    if (answered !== undefined) return sendJson(response, 200, answered);
  }
  if (/^\/apis\//.test(pathname)) {
    return sendText(response, 404, '404 page not found\n', 'text/plain; charset=utf-8', {
      'X-Content-Type-Options': 'nosniff',
    });
  }
  throw deniedPath(user, (request.method ?? 'GET').toLowerCase(), pathname);
}
