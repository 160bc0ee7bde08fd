/** @kubernetes/client-node: its Log, into a sink. */
import { Writable } from 'node:stream';
import { Log } from '@kubernetes/client-node';
import { kubeConfig } from './client-node.ts';
import { done, ready, taskOf } from './talk.ts';

const { url, count } = taskOf();
let seen = 0;
const sink = new Writable({
  write: (chunk: Buffer, _encoding, next) => {
    seen += chunk.length;
    if (seen === count) done({ seen });
    next();
  },
});
ready();
void new Log(kubeConfig(url)).log('rstudio', 'bench-pod', 'rs-launcher-container', sink, {
  follow: true,
  timestamps: true,
});
