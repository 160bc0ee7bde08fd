/** The floor of a submit: the bodies that the plugin sends, posted by undici. Reports the time of each. */
import { Pool } from 'undici';
import { done, JOBS_PATH, ready, taskOf } from './talk.ts';

const { url, count, uncounted, parallel } = taskOf();
const pool = new Pool(url, { connections: parallel });

async function run(): Promise<void> {
  const template = await (await pool.request({ method: 'GET', path: '/bench/body' })).body.text();
  const { name } = JSON.parse(template).metadata;
  let made = 0;
  async function postAll(jobs: number): Promise<{ readonly times: number[]; readonly seconds: number }> {
    const times: number[] = [];
    let left = jobs;
    const start = performance.now();
    const poster = async (): Promise<void> => {
      while (left-- > 0) {
        const body = template.replaceAll(name, `${name.slice(0, -6)}${String(++made).padStart(6, '0')}`);
        const begin = performance.now();
        const headers = { 'content-type': 'application/json', authorization: 'Bearer bench' };
        const answer = await pool.request({ method: 'POST', path: JOBS_PATH, body, headers });
        JSON.parse(await answer.body.text());
        times.push(performance.now() - begin);
      }
    };
    await Promise.all(Array.from({ length: parallel }, poster));
    return { times, seconds: (performance.now() - start) / 1000 };
  }
  await postAll(uncounted);
  ready();
  const { times, seconds } = await postAll(count);
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor(part * times.length)] ?? 0;
  done({ seen: times.length, p50: at(0.5), p99: at(0.99), rate: times.length / seconds });
}

void run();
