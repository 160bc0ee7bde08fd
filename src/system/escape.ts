/**
 * Escapes control characters, bidi marks and other invisible characters that change what a terminal shows: users choose
 * names that administrators print (architecture.md section 7).
 */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]/gu;

/** Makes text safe for a line of a log or terminal: unsafe characters become `\u001b` and the like. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
