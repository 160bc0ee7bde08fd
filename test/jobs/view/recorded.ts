/**
 * What is to be told of each recorded job, written down by hand from kubernetes-objects.md section 2; and what the
 * recorder did to jobs without writing it onto them, as we do.
 */
import type { JobResult } from '../../../src/jobs/objects/annotations.ts';

const OK = ['Pending', 'Running', 'Finished Completed 0'];
const exits = (code: number): string[] => ['Pending', 'Running', `Finished Error ${code}`];
const DELETED_PENDING = ['Pending', 'Canceled Deleted'];
const DELETED_RUNNING = ['Pending', 'Running', 'Killed Deleted'];
const DELETED_SUSPENDED = ['Pending Suspended', 'Canceled Deleted'];
const stopped = (code: number): string[] => ['Pending', 'Running', `Finished Stopped ${code}`];
const KILLED = ['Pending', 'Running', 'Killed Killed 137'];
const NOT_STARTED = ['Pending', 'Failed StartError'];

/** What is announced of each job, by scenario. Pending stands for Pending/Pending, Running for Running/Running. */
export const EXPECTED: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  '01-success': { 's01-ok-mm5nj': OK },
  '02-exit-code': { 's02-fast': exits(3), 's02-slow': exits(3), 's02-sig': OK, 's02-zero': OK },
  '02b-command-expansion': {
    's02b-exp': OK,
    's02b-env': OK,
    's02b-args': OK,
    's02b-segv': exits(139),
    's02b-term': exits(143),
    's02b-256': OK,
    's02b-255': exits(255),
    's02b-msg': exits(5),
  },
  '03-exe-not-found': {
    's03-nofile': NOT_STARTED,
    's03-dir': NOT_STARTED,
    's03-cwd': OK,
    's03-noexec': NOT_STARTED,
    's03-uid': OK,
  },
  '04-image': {
    's04-never': ['Pending', 'Failed DeadlineExceeded'],
    's04-unreach': DELETED_PENDING,
    's04-404': DELETED_PENDING,
    's04-401': DELETED_PENDING,
    's04-noroute': DELETED_PENDING,
    's04-inval': DELETED_PENDING,
  },
  '05-unschedulable': {
    's05-sel': ['Pending', 'Failed DeadlineExceeded'],
    's05-cpu': DELETED_PENDING,
    's05-mem': ['Pending', 'Failed Deleted'],
    's05-gpu': DELETED_PENDING,
  },
  '06-config-errors': {
    's06-secret': OK,
    's06-key': DELETED_PENDING,
    's06-pvc': DELETED_PENDING,
    's06-cm': DELETED_PENDING,
    's06-vsec': DELETED_PENDING,
    's06-nfs': DELETED_PENDING,
    's06-hp': DELETED_PENDING,
    's06-sa': DELETED_PENDING,
  },
  '06b-stop-while-creating': {
    's06b-cm': ['Pending', 'Failed DeadlineExceeded'],
    's06b-del': ['Pending', 'Failed Deleted'],
    's06b-susp': ['Pending', ...DELETED_SUSPENDED],
  },
  '07-oom': {
    's07-oom': ['Pending', 'Running', 'Killed OOMKilled 137'],
    's07-child': ['Pending', 'Running', 'Finished OOMKilled 7'],
  },
  '08-stop': {
    's08-plain': stopped(143),
    's08-trap0': stopped(0),
    's08-trap5': stopped(5),
    's08-ignore': stopped(137),
    's08-exec': stopped(143),
    's08-jobdl': ['Pending', 'Running', 'Killed DeadlineExceeded 143'],
  },
  '08b-signals-deadlines': {
    's08b-sig': exits(9),
    's08b-wall': ['Pending', 'Running', 'Killed DeadlineExceeded 143'],
    's08b-later': ['Pending', 'Running', 'Killed DeadlineExceeded 143'],
    's08b-semi': KILLED,
    's08b-fast': stopped(143),
  },
  '09-kill': {
    's09-exec': KILLED,
    's09-exec2': KILLED,
    's09-grace0': KILLED,
    's09-grace1': KILLED,
    's09-term': KILLED,
    's09-uid': DELETED_RUNNING,
  },
  '10-cancel-pending': {
    // Suspended by somebody without a control of ours, and resumed.
    's10-unsched': ['Pending', 'Pending Suspended', ...OK],
    's10-susp': ['Pending Suspended', ...OK],
    's10-nopod': ['Pending', ...DELETED_SUSPENDED],
  },
  '11-suspend-running': {
    's11-a': ['Pending', 'Running', 'Pending Suspended', ...DELETED_RUNNING],
    's11-done': OK,
  },
  '12-delete-job': {
    's12-bg': DELETED_RUNNING,
    's12-fg': ['Pending', 'Running', 'Killed Deleted 0'],
    's12-bgdone': OK,
    's12-fgdone': OK,
    's12-orph': OK,
    's12-def': OK,
    's12-ttl': OK,
    's12-ttl0': OK,
  },
  '13-eviction': { 's13-a': ['Pending', 'Running', 'Killed EvictionByEvictionAPI 0'], 's13-b': DELETED_RUNNING },
  '14-quota-limitrange': {
    's14-noreq': DELETED_PENDING,
    's14-one': OK,
    's14-two': OK,
    's14-cpu': DELETED_PENDING,
    's14-def': OK,
    's14-big': DELETED_PENDING,
    's14-small': DELETED_PENDING,
  },
  '15-service': { 's15-a': DELETED_RUNNING, 's15-hp1': DELETED_RUNNING, 's15-hp2': DELETED_PENDING },
  '16-attach': {
    's16-cat': OK,
    's16-early': OK,
    's16-v4': OK,
    's16-late': exits(6),
    's16-nosin': DELETED_RUNNING,
    's16-never': OK,
    's16-big': OK,
    's16-ping': OK,
  },
  '17-list-watch': {
    // Its label was taken away and given back.
    's17-0': DELETED_SUSPENDED,
    's17-1': DELETED_SUSPENDED,
    's17-2': DELETED_SUSPENDED,
    's17-3': DELETED_SUSPENDED,
    's17-4': DELETED_SUSPENDED,
  },
  '18-errors': {
    's18-dup': DELETED_SUSPENDED,
    's18-b': ['Pending'],
    's18-b2': DELETED_PENDING,
    's18-q': DELETED_PENDING,
    // Three jobs of one name.
    's18-fv': DELETED_SUSPENDED,
    's18-fv#2': DELETED_SUSPENDED,
    's18-fv#3': DELETED_SUSPENDED,
    's18-pend': DELETED_PENDING,
    's18-big': exits(1),
  },
  '19-logs': {
    's19-tick': OK,
    's19-odd': OK,
    's19-bin': OK,
    's19-long': OK,
    's19-100k': OK,
    's19-burst': exits(9),
    's19-del': ['Pending', 'Running', 'Killed Deleted 0'],
  },
  '19b-kubelet-restart': { 's19b-a': OK, 's19b-cat': OK },
  '19e-log-rotation': { 's19e-rot': OK },
  '21-metrics': { 's21-busy': DELETED_RUNNING, 's21-idle': DELETED_RUNNING },
  '23-preemption': { 's23-low': ['Pending', 'Running', 'Killed PreemptionByScheduler 0'], 's23-high': OK },
  '23b-node-notready': {
    's23b-long': ['Pending', 'Running', 'Killed Deleted 143'],
    's23b-tol': ['Pending', 'Running', 'Killed DeletionByTaintManager 143'],
    's23b-ends': exits(4),
    's23b-new': OK,
    's23b-new2': OK,
  },
  '24-fanout': {
    ...Object.fromEntries(['000', '025', '050', '075', '125', '150', '175'].map((number) => [`s24-${number}`, OK])),
    // Under this load its end is the first that the pod's status tells.
    's24-100': ['Pending', 'Finished Completed 0'],
  },
  '26-cancel-parallelism': {
    's26-pending': ['Pending', 'Canceled Canceled'],
    's26-nosched': ['Pending', 'Canceled Canceled'],
    's26-done': OK,
    's26-run': ['Pending', 'Running', 'Canceled Canceled'],
  },
  '27-result-annotation': { 's27-end': exits(3) },
  '28-sidecar': { 's28-side': exits(3) },
  '29-second-attach': { 's29-cat': DELETED_RUNNING },
  '30-kill-users': { 's30-user': KILLED, 's30-nocap': KILLED, 's30-two': KILLED, 's30-noshare': KILLED },
  '31-host-affinity': { 's31-here': OK, 's31-nowhere': DELETED_PENDING, 's31-nodename': DELETED_PENDING },
  '32-init-containers': { 's32-ok': OK, 's32-fail': ['Pending', 'Failed Error'], 's32-image': DELETED_PENDING },
  '35-native-sidecar': { 's35-native': exits(3) },
};

/** What the recorder did without writing it down as we do, and when. */
export const CONTROLS: Readonly<Record<string, readonly [at: number, operation: 'stop' | 'kill']>> = {
  's08-plain': [3315, 'stop'],
  's08-trap0': [3326, 'stop'],
  's08-trap5': [3338, 'stop'],
  's08-ignore': [3365, 'stop'],
  's08-exec': [3405, 'stop'],
  's08b-semi': [13003, 'kill'],
  's08b-fast': [15339, 'stop'],
  's09-exec': [1986, 'kill'],
  's09-exec2': [2052, 'kill'],
  's09-grace0': [5034, 'kill'],
  's09-grace1': [6178, 'kill'],
  's09-term': [9513, 'kill'],
  's30-user': [1348, 'kill'],
  's30-nocap': [2648, 'kill'],
  's30-two': [3603, 'kill'],
  's30-noshare': [4503, 'kill'],
};
const FINISHED_3: JobResult = { state: 'Finished', statusCode: 'Error', exitCode: 3, message: '' };
/** The ends that another instance wrote down, and when. */
export const RESULTS: Readonly<Record<string, readonly [at: number, result: JobResult]>> = {
  's28-side': [8822, FINISHED_3],
  's27-end': [2996, FINISHED_3],
};
