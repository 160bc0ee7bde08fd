/** The list of jobs fits a narrow terminal: a reason is below its job, and a long user name is cut. */
import t from 'tap';
import { jobTable } from '../../src/cli/job-list.ts';
import { aJob } from '../launcher/fake-jobs.ts';

const job = aJob({
  id: 'report-x7k2q9w1ab',
  user: 'jane.with.a.long.name@example.com',
  status: 'Failed',
  statusMessage: 'ended with exit code 3',
  submissionTime: 0,
});

t.test('a long user name is cut, the id is not', async (t) => {
  t.equal(
    jobTable([job], 5_000, { columns: 48, color: false }),
    `ID                 STATE   USER              AGE
report-x7k2q9w1ab  Failed  jane.with.a.lon…  5s
  ended with exit code 3
`,
  );
});

t.test('a short user name keeps its width', async (t) => {
  t.equal(
    jobTable([{ ...job, user: 'jane' }], 5_000, { columns: 40, color: false }),
    `ID                 STATE   USER  AGE
report-x7k2q9w1ab  Failed  jane  5s
  ended with exit code 3
`,
  );
});

const BELOW = `ID                 STATE   USER        AGE
report-x7k2q9w1ab  Failed  jane.smith  5s
  ended with exit code 3
`;
const BESIDE = `ID                 STATE   USER        AGE  REASON
report-x7k2q9w1ab  Failed  jane.smith  5s   ended with exit code 3
`;

for (const [columns, expected] of [
  [83, BELOW],
  [84, BESIDE],
  [undefined, BESIDE],
] as const) {
  t.test(`the reason has at least 40 columns beside its job: ${columns}`, async (t) => {
    t.equal(jobTable([{ ...job, user: 'jane.smith' }], 5_000, { columns, color: false }), expected);
  });
}
