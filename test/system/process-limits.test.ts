/** The limit of open files is read from /proc. */
import t from 'tap';
import { openFileLimit } from '../../src/system/process-limits.ts';

t.test('the limit of open files', async (t) => {
  const limits = (soft: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft.padEnd(20)} 524288               files     \n`;
  t.equal(openFileLimit(limits('1024')), 1024);
  t.equal(openFileLimit(limits('unlimited')), undefined);
  t.ok((openFileLimit() ?? 0) > 0, 'that of this process');
});
