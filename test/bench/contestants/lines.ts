/** The floor: undici and a splitter of lines; nothing is parsed. */
import { request } from 'undici';
import { LineSplitter } from '../../../src/kubernetes/watch/encodings.ts';
import { done, PODS_PATH, ready, taskOf } from './talk.ts';

const { url, count } = taskOf();

async function run(): Promise<void> {
  const { body } = await request(`${url}${PODS_PATH}?watch=true&resourceVersion=10000000`, { bodyTimeout: 0 });
  ready();
  const splitter = new LineSplitter();
  let seen = 0;
  for await (const chunk of body) {
    for (const _line of splitter.push(chunk)) {
      if (++seen === count) done({ seen });
    }
  }
}

void run();
