/** Text of what was thrown. */
import t from 'tap';
import { codeOrText, errorCode, errorMessage } from '../../src/system/errors.ts';

t.test('an error has its message, and anything else its text', async (t) => {
  t.strictSame([new Error('no'), 'text', undefined, { a: 1 }].map(errorMessage), [
    'no',
    'text',
    'undefined',
    '[object Object]',
  ]);
});

t.test('only errors have a code', async (t) => {
  const failed = Object.assign(new Error('no'), { code: 'ENOENT' });
  t.strictSame([failed, new Error('no'), { code: 'ENOENT' }, undefined].map(errorCode), ['ENOENT', '', '', '']);
});

t.test('without a code, an error has its text', async (t) => {
  const failed = Object.assign(new Error('no'), { code: 'ENOENT' });
  t.strictSame([failed, new Error('no'), undefined].map(codeOrText), ['ENOENT', 'Error: no', 'undefined']);
});
