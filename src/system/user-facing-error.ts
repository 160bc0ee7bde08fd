/**
 * Base of the errors that are meant for users and administrators: their message says what is wrong and how to fix it, so
 * commands print it without a stack. Every other error is a defect of the plugin.
 */
export class UserFacingError extends Error {
  override readonly name: string = 'UserFacingError';
}
