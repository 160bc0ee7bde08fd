/** The bundle of the executable as scripts: which modules of Node.js and packages are loaded when. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { BANNER, bundleScript, FOOTER, loadStart } from '../../build/start-script.ts';
import { EXECUTABLE } from '../support/plugin.ts';

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
  const { start } = loadStart(bundleScript(Buffer.from(source)), () => bundleScript(Buffer.from('')));
  t.strictSame(loaded, ['node:path']);
  t.equal(await start(['sha256'], () => {}), 64);
  t.equal(await start(['sha512'], () => {}), 128);
  t.strictSame(loaded, ['node:path', 'node:crypto'], 'once');
});

t.test('packages are loaded when they are used, and once', async (t) => {
  let made = 0;
  const packages = () => {
    made++;
    const source = `${BANNER} const path = require('path'); module.exports = { ws: () => path.basename('/a/ws') }; ${FOOTER}`;
    return bundleScript(Buffer.from(source));
  };
  const source = `${BANNER} module.exports.start = async () => require('ws').length; ${FOOTER}`;
  const { start } = loadStart(bundleScript(Buffer.from(source)), packages);
  t.equal(made, 0);
  t.equal(await start([], () => {}), 2);
  t.equal(await start([], () => {}), 2);
  t.equal(made, 1);
});

t.test('V8 reads the code cache of the start in place: its address in the executable is a multiple of 8', async (t) => {
  const file = readFileSync(EXECUTABLE);
  const name = Buffer.from('\x0b\0\0\0\0\0\0\0start.cache');
  const [at, LENGTH] = [file.indexOf(name), 8];
  t.ok(at > 0);
  t.equal((at + name.length + LENGTH) % 8, 0);
});
