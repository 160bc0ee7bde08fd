/** Characters that change what a terminal shows are escaped. */
import t from 'tap';
import { escapeControls } from '../../src/system/escape.ts';

t.test('what changes a terminal is written out', async (t) => {
  t.equal(escapeControls('plain Zürich 東京 🎉'), 'plain Zürich 東京 🎉');
  t.equal(escapeControls('\u001b[31mred\u0007\r\n\t'), '\\u001b[31mred\\u0007\\u000d\\u000a\\u0009');
  t.equal(
    escapeControls('a\u202etxt.exe\u2066\u200b\u009b\u007f\ufeff\u2028'),
    'a\\u202etxt.exe\\u2066\\u200b\\u009b\\u007f\\ufeff\\u2028',
  );
  t.equal(escapeControls('half \ud83d of one'), 'half \\ud83d of one');
});
