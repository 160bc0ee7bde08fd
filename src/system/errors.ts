/** What was thrown, as text: anything can be thrown, and errors of the operating system have a code. */

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `ENOENT`; '' for an error without a code. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** `ENOENT`; the error as text, if it has no code. */
export function codeOrText(error: unknown): string {
  return errorCode(error) || String(error);
}
