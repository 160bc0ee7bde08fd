/** @kubernetes/client-node: informers of jobs and pods, as they are held after the lists. */
import { BatchV1Api, CoreV1Api, type Informer, type KubernetesObject, makeInformer } from '@kubernetes/client-node';
import { kubeConfig } from './client-node.ts';
import { heapInUse } from './heap.ts';
import { done, JOBS_PATH, PODS_PATH, taskOf } from './talk.ts';

const { url, objects } = taskOf();
const config = kubeConfig(url);
const core = config.makeApiClient(CoreV1Api);
const batch = config.makeApiClient(BatchV1Api);
const namespace = 'rstudio';

function listed<T extends KubernetesObject>(informer: Informer<T>): Promise<void> {
  let seen = 0;
  return new Promise((complete) => {
    informer.on('add', () => {
      if (++seen === objects) complete();
    });
    void informer.start();
  });
}

async function run(): Promise<void> {
  const pods = makeInformer(config, PODS_PATH, () => core.listNamespacedPod({ namespace }));
  const jobs = makeInformer(config, JOBS_PATH, () => batch.listNamespacedJob({ namespace }));
  await listed(pods);
  await listed(jobs);
  const heap = heapInUse();
  done({ seen: pods.list().length + jobs.list().length, heap });
}

void run();
