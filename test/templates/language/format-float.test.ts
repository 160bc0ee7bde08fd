/** Floats with the digits that Go prints, for the smallest of them. */
import t from 'tap';
import { floatText } from '../../../src/templates/language/format-float.ts';

t.test('the smallest normal float and the floats below it have their exact digits', async (t) => {
  t.equal(floatText(2 ** -1022, 'e', 19), '2.2250738585072013831e-308');
  t.equal(floatText(2 ** -1023, 'e', 19), '1.1125369292536006915e-308');
  t.equal(floatText(2 ** -1074, 'e', 19), '4.9406564584124654418e-324');
});
