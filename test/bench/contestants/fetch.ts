/** The floor of a start: the pages of jobs and pods, fetched and parsed. Reports how long that took. */
import { Pool } from 'undici';
import { done, JOBS_PATH, PODS_PATH, taskOf } from './talk.ts';

const { url } = taskOf();
const pool = new Pool(url, { connections: 8 });

async function pages(path: string): Promise<number> {
  let seen = 0;
  let next = '';
  do {
    const query = `?limit=500${next === '' ? '' : `&continue=${next}`}`;
    const { body } = await pool.request({ method: 'GET', path: path + query });
    const page = JSON.parse(await body.text());
    seen += page.items.length;
    next = page.metadata.continue ?? '';
  } while (next !== '');
  return seen;
}

async function run(): Promise<void> {
  const start = performance.now();
  const [jobs, pods] = await Promise.all([pages(JOBS_PATH), pages(PODS_PATH)]);
  done({ seen: jobs + pods, ms: performance.now() - start });
}

void run();
