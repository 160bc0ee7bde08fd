/** A pinned package is current, outdated, or has a gap that is known. */
import t from 'tap';
import { judgePin, type Pin } from '../../build/pins.ts';

const pin = (kind: Pin['kind'], version: string, ...versions: readonly string[]): Pin => ({
  name: 'some',
  version,
  kind,
  versions,
});

t.test('a bundled package is outdated if its major version has a newer release', async (t) => {
  t.strictSame(judgePin(pin('bundled', '8.12.4', '8.12.4', '8.13.1', '8.9.0', '9.0.0'), [], undefined), {
    newest: '8.13.1',
    verdict: 'OUTDATED',
    isFailure: true,
  });
});

t.test('a newer major version or a preview makes nothing outdated', async (t) => {
  t.strictSame(judgePin(pin('bundled', '8.13.1', '8.13.1', '8.14.0-rc.1', '9.0.0'), [], undefined), {
    newest: '8.13.1',
    verdict: 'current',
    isFailure: false,
  });
});

t.test('a newer build tool is no failure', async (t) => {
  t.strictSame(judgePin(pin('build', '1.0.0', '1.0.0', '1.1.0'), [], undefined), {
    newest: '1.1.0',
    verdict: 'newer exists',
    isFailure: false,
  });
});

t.test('a Node.js that another architecture has newer is a failure, unless that gap is known', async (t) => {
  const behind = pin('node', '24.22.0', '24.22.0');
  const versions = ['24.22.0', '24.22.3', '26.0.0'];
  t.strictSame(judgePin(behind, versions, undefined), {
    newest: '24.22.0',
    verdict: 'OUTDATED: 24.22.3 has no package for this architecture',
    isFailure: true,
  });
  t.strictSame(judgePin(behind, versions, '24.22.3'), {
    newest: '24.22.0',
    verdict: 'known gap: 24.22.3 has no package for this architecture',
    isFailure: false,
  });
  t.match(judgePin(behind, [...versions, '24.22.4'], '24.22.3'), { isFailure: true });
});
