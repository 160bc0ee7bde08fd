/** The bundle of the executable as a script: which modules of Node.js it loads when. */
import t from 'tap';
import { BANNER, FOOTER, loadStart, startScript } from '../../build/start-script.ts';

t.test('modules that a start does not need are loaded when they are used', async (t) => {
  const real = process.getBuiltinModule;
  const loaded: string[] = [];
  const counting = (name: string): object | undefined => {
    loaded.push(name);
    return real(name);
  };
  Object.assign(process, { getBuiltinModule: counting });
  t.teardown(() => Object.assign(process, { getBuiltinModule: real }));
  const source = `${BANNER}
    const crypto = require('node:crypto');
    const path = require('node:path');
    module.exports.start = async ([kind]) => crypto.createHash(kind).update(path.basename('/a/b')).digest('hex').length;
  ${FOOTER}`;
  const { start } = loadStart(startScript(Buffer.from(source)));
  t.strictSame(loaded, ['node:path']);
  t.equal(await start(['sha256'], () => {}), 64);
  t.equal(await start(['sha512'], () => {}), 128);
  t.strictSame(loaded, ['node:path', 'node:crypto'], 'once');
});
