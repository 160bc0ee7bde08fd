/** @kubernetes/client-node: its Watch, which parses and forgets. */
import { Watch } from '@kubernetes/client-node';
import { kubeConfig } from './client-node.ts';
import { done, PODS_PATH, ready, taskOf } from './talk.ts';

const { url, count } = taskOf();
let seen = 0;
const onEvent = (): void => {
  if (++seen === count) done({ seen });
};
const onEnd = (error: unknown): void => {
  throw error;
};
void new Watch(kubeConfig(url)).watch(PODS_PATH, { resourceVersion: '10000000' }, onEvent, onEnd).then(ready);
