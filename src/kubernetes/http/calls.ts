/** Calls of the API: retries, a deadline, and the complete body read and parsed. */

import { Deadline } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import type { Random } from '../../system/random.ts';
import { type Answer, type CallOptions, isKubernetesObject } from '../contract.ts';
import { KubernetesError, type KubernetesErrorCode } from '../kubernetes-error.ts';
import { withRetries } from './retry.ts';
import type { Timings } from './timings.ts';
import type { ApiRequest, ApiResponse, Transport } from './transport.ts';

/** A request with one JSON document as answer. */
interface Call {
  readonly method: ApiRequest['method'];
  readonly path: string;
  readonly query?: string;
  readonly body?: ApiRequest['body'];
  /** True if it may be sent twice. */
  readonly idempotent: boolean;
  readonly isProbe?: boolean;
}

/** Request for a page of a list, in the content types that the reflector decodes. */
export type PageRequest = Required<Pick<ApiRequest, 'path' | 'query' | 'accept' | 'status' | 'signal'>>;

/** Complete body of an answer. */
export interface AnswerBody {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** Deadline of a page of a list, in deadlines of a call. */
const MAX_PAGE_TIMEOUTS = 10;

interface CallsDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly timings: Timings;
  /** Default deadline of a call. */
  readonly timeoutMs: number;
}

export class Calls {
  readonly #dependencies: CallsDependencies;

  constructor(dependencies: CallsDependencies) {
    this.#dependencies = dependencies;
  }

  get timeoutMs(): number {
    return this.#dependencies.timeoutMs;
  }

  /** Sends a request until its deadline, with retries, and parses the complete body. */
  send<T>({ options, ...call }: Call & { readonly options: CallOptions | undefined }): Promise<Answer<T>> {
    const timeoutMs = options?.timeoutMs ?? this.timeoutMs;
    return this.within(call.method, call.path, options, timeoutMs, (signal) =>
      this.sendUntil<T>({ ...call, timeoutMs, signal }),
    );
  }

  /** The same as a part of several calls with one deadline, that of the signal. */
  sendUntil<T>(call: Call & { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<Answer<T>> {
    const { transport, clock, random, timings } = this.#dependencies;
    const { method, path, query, body, idempotent, isProbe = false, timeoutMs, signal } = call;
    return withRetries({ clock, random, timings, method, idempotent, signal }, async () => {
      const response = await transport.send({
        method,
        path,
        ...(query === undefined ? {} : { query }),
        ...(body === undefined ? {} : { body }),
        // Half of the time, so that a connection that died silently leaves time for a second attempt.
        headersMs: Math.ceil(timeoutMs / 2),
        isProbe,
        signal,
      });
      return parsed<T>(response, method, transport.prefix + path);
    });
  }

  /** Reads one page of a reflector's list in one attempt; the reflector has its own backoff. */
  async page(request: PageRequest): Promise<AnswerBody> {
    const { transport, clock, timeoutMs } = this.#dependencies;
    // The deadline is one of silence, because a long page may take long on a slow connection.
    const silence = new Deadline(clock, request.signal);
    const arm = (): void => {
      const text = `no byte of the list for ${timeoutMs / 1000} s`;
      silence.set(timeoutMs, () => new KubernetesError({ code: 'timeout', method: 'GET', path: request.path, text }));
    };
    try {
      arm();
      return await this.within('GET', request.path, silence, MAX_PAGE_TIMEOUTS * timeoutMs, async (signal) => {
        const { contentType, bytes } = await transport.list({ ...request, headersMs: timeoutMs, signal }, arm);
        return { contentType, bytes };
      });
    } finally {
      silence.end();
    }
  }

  /** Runs several calls, or a connection, with one deadline; undefined: only the caller's signal ends it. */
  async within<T>(
    method: string,
    path: string,
    options: CallOptions | undefined,
    timeoutMs: number | undefined,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, transport } = this.#dependencies;
    const deadline = new Deadline(clock, options?.signal);
    if (timeoutMs !== undefined) {
      const text = `${timeoutMs / 1000} s`;
      const fullPath = transport.prefix + path;
      deadline.set(timeoutMs, () => new KubernetesError({ code: 'timeout', method, path: fullPath, text }));
    }
    try {
      deadline.signal.throwIfAborted();
      return await run(deadline.signal);
    } finally {
      deadline.end();
    }
  }
}

function parsed<T>(response: ApiResponse, method: string, path: string): Answer<T> {
  const { status, warnings, date } = response;
  const text = response.bytes.toString('utf8');
  const refused = (code: KubernetesErrorCode, what: string): KubernetesError =>
    new KubernetesError({ code, method, path, status, text: what });
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch {
    // JSON that cannot be parsed was cut in transit. The parser's message would quote a part of it.
    const code = response.contentType.startsWith('application/json') ? 'interrupted' : 'bad-answer';
    throw refused(code, `${text.length} characters that are not JSON`);
  }
  // A write may have been carried out, whatever the answer is.
  if (!isKubernetesObject(object))
    throw refused(method === 'GET' ? 'bad-answer' : 'interrupted', 'the answer is not a Kubernetes object');
  return { object: object as T, warnings, date };
}
