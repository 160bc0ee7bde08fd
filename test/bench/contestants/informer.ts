/** @kubernetes/client-node: its informer of pods. */
import { CoreV1Api, makeInformer } from '@kubernetes/client-node';
import { kubeConfig } from './client-node.ts';
import { done, PODS_PATH, ready, taskOf } from './talk.ts';

const { url, count, objects } = taskOf();
const config = kubeConfig(url);
const api = config.makeApiClient(CoreV1Api);
const informer = makeInformer(config, PODS_PATH, () => api.listNamespacedPod({ namespace: 'rstudio' }));
let seen = 0;
informer.on('update', () => {
  if (++seen === count) done({ seen });
});
informer.on('error', (error) => {
  throw error;
});
let listed = 0;
informer.on('add', () => {
  if (++listed === objects) ready();
});
void informer.start();
