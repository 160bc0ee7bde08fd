/**
 * Which jobs a Get jobs request means (protocol 7.4).
 */
import type { Job, JobState } from '../jobs/job.ts';

/** Conditions that all must hold; absent or empty ones always do. */
interface JobFilter {
  /** The job has all of them. */
  readonly tags: readonly string[];
  /** Submitted at or after; milliseconds since 1970. */
  readonly startTime?: number;
  /** Submitted at or before; milliseconds since 1970. */
  readonly endTime?: number;
  /** The job is in one of them; '' is the unknown state. */
  readonly statuses: readonly (JobState | '')[];
}

/** The jobs that pass, by id in byte order. */
export function filterJobs(jobs: readonly Job[], filter: JobFilter): readonly Job[] {
  const { tags, startTime = Number.NEGATIVE_INFINITY, endTime = Number.POSITIVE_INFINITY, statuses } = filter;
  return jobs
    .filter(
      (job) =>
        (statuses.length === 0 || statuses.includes(job.status)) &&
        job.submissionTime >= startTime &&
        job.submissionTime <= endTime &&
        tags.every((tag) => job.tags.includes(tag)),
    )
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}
