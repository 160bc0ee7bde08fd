/** Names of the namespace's service accounts, for cluster info. */
import { type Client, SERVICE_ACCOUNTS } from '../../kubernetes/contract.ts';
import { isForbidden } from '../../kubernetes/kubernetes-error.ts';
import type { Log } from '../../system/log.ts';
import { jobErrorOf } from '../job-error.ts';

/**
 * Names of the namespace's service accounts, as a form offers them; undefined where listing them is forbidden (needs
 * list on serviceaccounts). Throws JobError.
 */
export async function serviceAccountNames(client: Client, log: Log): Promise<readonly string[] | undefined> {
  try {
    const { items } = await client.list(SERVICE_ACCOUNTS);
    return items.flatMap(({ metadata }) => metadata?.name ?? []);
  } catch (error) {
    if (!isForbidden(error)) throw jobErrorOf(error, 'The service accounts could not be listed');
    log.warning('Service accounts cannot be listed; the launcher does not offer them', { error });
    return undefined;
  }
}
