/** The token of each request: a text, or a file that is read again when it changes and after a 401. */
import { readFile, stat } from 'node:fs/promises';
import type { Log } from '../../system/log.ts';
import { KubernetesError } from '../kubernetes-error.ts';

/** Who we are to the API server. The token's text is already decoded (configuration.md section 1). */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'token-file'; readonly path: string };

export interface TokenSource {
  /** The Authorization header's value; undefined without a token. Rejects with KubernetesError `credentials`. */
  readonly authorization: () => Promise<string | undefined>;
  /** After a 401: reads the file again; is the token another one than `used`? */
  readonly changedSince: (used: string | undefined) => Promise<boolean>;
}

/** A token file is read again when it has changed; while it cannot be read, the last token is used. */
export function tokenSource(credentials: Credentials, log: Log): TokenSource {
  if (credentials.kind !== 'token-file') {
    const fixed = credentials.kind === 'token' ? bearer(credentials.token, 'the option auth-token') : undefined;
    return { authorization: async () => fixed, changedSince: async () => false };
  }
  const { path } = credentials;
  let known: { readonly mark: string; readonly header: string } | undefined;
  let complained = false;

  const read = async (force: boolean): Promise<string> => {
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(path);
      const mark = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      if (force || known?.mark !== mark) known = { mark, header: bearer(await readFile(path, 'utf8'), path) };
      complained = false;
      return known.header;
    } catch (error) {
      if (known === undefined) {
        const words = error instanceof Error ? error.message : String(error);
        throw new KubernetesError({ code: 'credentials', method: 'read', path, text: words, cause: error });
      }
      if (!complained) log.warning('The token file cannot be read; the last token is used', { path, error });
      complained = true;
      return known.header;
    }
  };
  return {
    authorization: () => read(false),
    changedSince: async (used) => (await read(true)) !== used,
  };
}

/** Throws without echoing: what is wrong with a token may be in a log, the token never. */
function bearer(text: string, where: string): string {
  const token = text.trim();
  if (token === '') throw new Error(`${where} holds no token`);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new Error(`the token of ${where} holds blanks, control or non-ASCII characters`);
  return `Bearer ${token}`;
}
