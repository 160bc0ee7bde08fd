/** Ours: reflector and projection of pods. Which encoding is spoken, the server decides. */
import { createHash } from 'node:crypto';
import { PerformanceObserver } from 'node:perf_hooks';
import { projectKnownPod } from '../../../src/jobs/view/known-pod.ts';
import { projectPod } from '../../../src/jobs/view/projection.ts';
import { PODS } from '../../../src/kubernetes/contract.ts';
import { benchClient } from './ours.ts';
import { done, ready, taskOf } from './talk.ts';

const { url, count } = taskOf();
let seen = 0;
let pause = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) pause = Math.max(pause, duration);
}).observe({ entryTypes: ['gc'] });
const reflector = benchClient(url).reflector({
  resource: PODS,
  selection: {},
  project: projectPod,
  projectKnown: projectKnownPod,
  onEvent: ({ type }) => {
    if (type !== 'MODIFIED' || ++seen < count) return;
    const hash = createHash('sha256');
    for (const pod of reflector.objects()) hash.update(JSON.stringify(pod));
    // After the observer was called.
    setImmediate(() => done({ seen, pause, digest: hash.digest('hex') }));
  },
});
const running = new AbortController().signal;
void reflector.run(running);
void reflector.synced(running).then(ready);
