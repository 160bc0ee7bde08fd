/** Resource profiles keep their order and the lines of their settings; all problems are reported together. */
import t from 'tap';
import { parseResourceProfiles } from '../../../src/config/profiles/resource-profiles.ts';
import { problems } from '../options/reading.ts';

t.test('sections become resource profiles with the lines of their settings', async (t) => {
  const { profiles, warnings } = parseResourceProfiles(
    'R',
    '[small]\nname=Small one\ncpus=0.5\ncpus-request=0.25\nmem-mb=512\nmem-mb-request=256\n[10]\nnvidia-gpus=1.000000\namd-gpus=2\nplacement-constraints=zone:a,pool:gpu\n[1-big]\ncpus=\n[custom]\nname=My own\n',
  );
  const at = (line: number): object => ({ file: 'R', line });
  t.same(warnings, []);
  t.same(profiles, [
    {
      id: 'small',
      name: 'Small one',
      ...at(1),
      cpus: { value: 0.5, origin: at(3) },
      cpusRequest: { value: 0.25, origin: at(4) },
      memMb: { value: 512, origin: at(5) },
      memMbRequest: { value: 256, origin: at(6) },
    },
    {
      id: '10',
      name: '10',
      ...at(7),
      nvidiaGpus: { value: 1, origin: at(8) },
      amdGpus: { value: 2, origin: at(9) },
      placementConstraints: {
        value: [
          { name: 'zone', value: 'a' },
          { name: 'pool', value: 'gpu' },
        ],
        origin: at(10),
      },
    },
    { id: '1-big', name: '1-big', ...at(11) },
    { id: 'custom', name: 'My own', ...at(13) },
  ]);
});

t.test('all problems of the file', async (t) => {
  t.same(
    problems(
      'cpus=1\n[a]\ncpu=1\ncpus=x\nnvidia-gpus=0.5\nplacement-constraints=zone\n[a]\n[custom]\ncpus=1\n',
      parseResourceProfiles,
    ),
    [
      'F:1: cpus: is set before the first section: begin with [name-of-profile]',
      'F:3: cpu: is not a key of resource profiles (did you mean "cpus"?)',
      'F:4: cpus: "x" must be a number such as 1.5 from 0 to 1000000',
      'F:5: nvidia-gpus: "0.5" must be a whole number of GPUs from 0 to 1000',
      'F:6: placement-constraints: "zone" must be a comma-separated list, each key:value, each key once; "zone" is not',
      'F:7: section [a] is already on line 2',
      "F:9: cpus: is not allowed in [custom], which means the job's own values",
    ],
  );
});

t.test('a request above the limit of the same resource profile is refused', async (t) => {
  t.strictSame(problems('[big]\ncpus=2\ncpus-request=3\nmem-mb-request=600\nmem-mb=512', parseResourceProfiles), [
    'F:3: cpus-request: 3 is above cpus=2 on line 2',
    'F:4: mem-mb-request: 600 is above mem-mb=512 on line 5',
  ]);
  t.strictSame(problems('[big]\ncpus-request=3\nmem-mb=0\nmem-mb-request=600', parseResourceProfiles), [], 'no limits');
});
