/** Names that are made of what people write are ones that Kubernetes accepts, whatever that is. */
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
  t.equal(labelValue(`${'x'.repeat(62)}-y`), 'x'.repeat(62));
  t.equal(labelValue('DOMAIN\\jane doe'), 'DOMAIN-jane-doe');
});
