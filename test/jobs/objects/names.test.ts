/** Names made from any string are names that Kubernetes accepts. */
import fc from 'fast-check';
import t from 'tap';
import { labelValue, newJobName, volumeNames } from '../../../src/jobs/objects/names.ts';

t.test('names are always valid', async (t) => {
  const anything = fc.string({ unit: 'binary', maxLength: 80 });
  const numbers = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(anything, numbers, (name, number) => {
      const made = newJobName(name, () => number);
      // RFC 1035: what a Service's name must be up to Kubernetes 1.35; no longer than the specification says.
      if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(made) || made.length > 52) throw new Error(`name ${made}`);
      const label = labelValue(name);
      if (!/^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/.test(label) || label.length > 63)
        throw new Error(`label ${label}`);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 8 }), (wanted) => {
      const next = volumeNames();
      const names = wanted.map(next);
      if (new Set(names).size !== names.length) throw new Error('twice');
      for (const name of names)
        if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) || name.length > 63) throw new Error(name);
    }),
  );
  t.pass('600 texts');
  const zero = () => 0;
  t.equal(newJobName('RStudio Session (jane) - project churn', zero), 'rstudio-session-jane-project-churn-aaaaaaaaaa');
  t.equal(newJobName('Größe', zero), 'gro-e-aaaaaaaaaa');
  t.equal(newJobName('', zero), 'job-aaaaaaaaaa');
  t.equal(newJobName('3rd', zero), 'job-3rd-aaaaaaaaaa');
  t.equal(newJobName(`${'a'.repeat(39)}-b`, zero), `${'a'.repeat(39)}-aaaaaaaaaa`);
  t.equal(newJobName('日本', zero), 'job-aaaaaaaaaa');
  t.equal(newJobName(`${' '.repeat(999)}ab`, zero), 'a-aaaaaaaaaa', 'no more than 1,000 characters are read');
  t.equal(labelValue(`${'x'.repeat(62)}-y`), 'x'.repeat(62));
  t.equal(labelValue('DOMAIN\\jane doe'), 'DOMAIN-jane-doe');
});

t.test('16,000 volumes of one wanted name get different names in linear time', async (t) => {
  const next = volumeNames();
  const began = process.cpuUsage().user;
  const names = Array.from({ length: 16_000 }, () => next('a'));
  const ms = (process.cpuUsage().user - began) / 1000;
  t.strictSame([names[0], names[1], names[15_999]], ['a', 'a-2', 'a-16000']);
  t.equal(new Set(names).size, 16_000);
  t.ok(ms < 2_000, `${ms} ms`);
});

t.test('a number that another volume has as its name is left out', async (t) => {
  const next = volumeNames();
  t.strictSame(['a-2', 'a', 'a', 'a'].map(next), ['a-2', 'a', 'a-3', 'a-4']);
});
