/**
 * The input of a job waits in a Secret that the Job owns, until its container runs (kubernetes-objects.md section 4).
 */
import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { SECRETS } from '../kubernetes/contract.ts';
import { LAUNCHER, MANAGED_BY } from './annotations.ts';
import type { Context } from './context.ts';
import { JobError } from './contract.ts';
import { ownedBy } from './service.ts';

const INPUT_LIMIT = 1_048_576;
const KEY = 'stdin';

export const inputSecretName = (id: string): string => `${id}-stdin`;

/** Throws JobError 'invalid-request' for more than a Secret holds. */
export function buildInputSecret(job: { readonly name: string; readonly uid: string }, text: string): Secret {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > INPUT_LIMIT)
    throw new JobError(
      'invalid-request',
      `stdin has ${bytes.length} bytes; at most ${INPUT_LIMIT} can be passed to a job.`,
    );
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: inputSecretName(job.name),
      labels: { [MANAGED_BY]: LAUNCHER },
      ownerReferences: ownedBy(job),
    },
    type: 'Opaque',
    immutable: true,
    data: { [KEY]: bytes.toString('base64') },
  };
}

export async function createInput(
  { client }: Pick<Context, 'client'>,
  job: { readonly name: string; readonly uid: string },
  text: string,
  signal: AbortSignal,
): Promise<void> {
  await client.create(SECRETS, buildInputSecret(job, text), {
    signal,
    isOurs: (stored) => stored.metadata?.ownerReferences?.some(({ uid }) => uid === job.uid) === true,
  });
}
