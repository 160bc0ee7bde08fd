/** The most bytes that one byte of text takes in JSON: \u001b. */
export const MOST_JSON_BYTES = 6;

/**
 * UTF-8 text as a JSON string in UTF-8, byte for byte what JSON.stringify makes of the text. Each byte passes as if it were a
 * character: JSON escapes characters of one byte only, and strings of such characters are the cheapest.
 */
export function jsonText(text: Uint8Array): Buffer {
  const characters = Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('latin1');
  return Buffer.from(JSON.stringify(characters), 'latin1');
}
