/**
 * `node record-start.ts start` writes V8's code cache of the functions that a start compiles, as a user without privileges against an API
 * server without jobs, until Bootstrap is answered and all watches are open; `commands` writes that of the functions that some commands
 * compile. `verify` compiles the source with both caches instead. All files are in the current directory.
 */
import { chownSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { bundleScript, COMMANDS_CACHE, loadStart, PACKAGES_ASSET, START_ASSET, START_CACHE } from './start-script.ts';

const NOBODY = 65_534;
const BOOTSTRAP = { messageType: 1, requestId: 0, version: { major: 3, minor: 10, patch: 0 } };
/** Commands that are recorded, too. */
const COMMANDS = [['jobs'], ['profile', 'nobody']];
/** A start that has not come so far by then fails the build. */
const DEADLINE_MS = 60_000;
/** From the last answer to the end: all timers of up to a second run, and none of five seconds. */
const PAUSE_MS = 1_500;
/** What V8 does at times of its own: it marks functions that are compiled to machine code, and drops bytecode. */
const UNSTEADY = ['sparkplug', 'maglev', 'turbofan', 'flush-bytecode'];
/** Kinds that are listed and watched, by resource; those with an API version have answers in protobuf. */
const LISTS: Readonly<Record<string, { readonly kind: string; readonly apiVersion?: string }>> = {
  jobs: { kind: 'JobList', apiVersion: 'batch/v1' },
  pods: { kind: 'PodList', apiVersion: 'v1' },
  services: { kind: 'ServiceList' },
  events: { kind: 'EventList' },
};

/** A field of a protobuf message with less than 128 bytes. */
const field = (number: number, value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
};

/** Four magic bytes and a message Unknown with a list that has a resource version and no items. */
function emptyList(apiVersion: string, kind: string): Buffer {
  const type = Buffer.concat([field(1, apiVersion), field(2, kind)]);
  return Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, field(1, field(2, '1')))]);
}

/** Calls `watched` when a watch is open. */
function createApiServer(watched: () => void): Server {
  return createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    const { kind, apiVersion } = LISTS[url.pathname.split('/').at(-1) ?? ''] ?? {};
    request.resume();
    if (url.searchParams.has('watch')) {
      response.setHeader(
        'content-type',
        apiVersion === undefined ? 'application/json' : 'application/vnd.kubernetes.protobuf;stream=watch',
      );
      response.flushHeaders();
      watched();
    } else if (
      kind !== undefined &&
      apiVersion !== undefined &&
      request.headers.accept?.includes('protobuf') === true
    ) {
      response.setHeader('content-type', 'application/vnd.kubernetes.protobuf').end(emptyList(apiVersion, kind));
    } else {
      const answer =
        kind !== undefined
          ? { kind, metadata: { resourceVersion: '1' }, items: [] }
          : { major: '1', minor: '33', gitVersion: 'v1.33.0', status: { allowed: true } };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    }
  });
}

const what = process.argv[2];
if (what === 'verify') {
  for (const cache of [START_CACHE, COMMANDS_CACHE]) {
    const { cachedDataRejected } = bundleScript(readFileSync(START_ASSET), readFileSync(cache));
    if (cachedDataRejected !== false) throw new Error(`V8 rejects ${cache} with the flags of the executable`);
  }
  process.exit();
}
const script = bundleScript(readFileSync(START_ASSET));
// Opened before privileges are dropped.
const packages = readFileSync(PACKAGES_ASSET);
const cache = openSync(what === 'start' ? START_CACHE : COMMANDS_CACHE, 'w');
const directory = mkdtempSync(join(tmpdir(), 'record-start-'));
const { setFlagsFromString } = process.getBuiltinModule('node:v8');
for (const flag of UNSTEADY) setFlagsFromString(`--no-${flag}`);
process.on('exit', (code) => {
  // V8 writes its flags into the cache, and accepts it only with the same flags.
  for (const flag of UNSTEADY) setFlagsFromString(`--${flag}`);
  rmSync(directory, { recursive: true, force: true });
  if (code === 0) writeFileSync(cache, script.createCachedData());
});
setTimeout(() => {
  console.error('the start that is recorded has not ended');
  process.exit(1);
}, DEADLINE_MS).unref();

const input = new PassThrough();
let isAnswered = false;
let watches = 0;
const endWhenDone = (): void => {
  if (isAnswered && watches === Object.keys(LISTS).length) setTimeout(() => input.end(), PAUSE_MS);
};
const output = new Writable({
  write: (_bytes, _encoding, done) => {
    isAnswered = true;
    endWhenDone();
    done();
  },
});
const server = createApiServer(() => {
  watches++;
  endWhenDone();
});
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
const address = server.address();
const port = typeof address === 'object' ? address?.port : undefined;
const options = {
  'server-user': 'rstudio-server',
  'scratch-path': join(directory, 'scratch'),
  'logging-dir': join(directory, 'log'),
  'api-url': `http://127.0.0.1:${port}`,
  'auth-token': 'recorded',
  'kubernetes-namespace': 'rstudio',
  'heartbeat-interval-seconds': '0',
  'plugin-metrics-interval-seconds': '0',
};
const configFile = join(directory, 'launcher.kubernetes.conf');
const lines = Object.entries(options).map(([name, value]) => `${name}=${value}\n`);
writeFileSync(configFile, lines.join(''), { mode: 0o600 });
if (process.getuid?.() === 0) {
  // The same start, and so the same cache, as for a user who builds without root.
  for (const path of [directory, configFile]) chownSync(path, NOBODY, NOBODY);
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}
// No time passes, so that the order in which functions are compiled, which the cache contains, does not depend on the speed of the host.
const began = process.hrtime();
Object.defineProperty(process, 'hrtime', { value: () => began });
// The start sets flags, too.
process.getBuiltinModule('node:v8').setFlagsFromString = () => {};
Object.defineProperty(process, 'stdin', { value: input });
Object.defineProperty(process, 'stdout', { value: output });
const { start } = loadStart(script, () => bundleScript(packages));
const run = (...args: readonly string[]): Promise<number> =>
  start([...args, `--config-file=${configFile}`], (line) => console.error(line));
if (what === 'start') {
  const frame = Buffer.from(JSON.stringify(BOOTSTRAP));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  input.write(Buffer.concat([length, frame]));
  process.exit(await run());
}
for (const command of COMMANDS) {
  const code = await run(...command);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`);
}
process.exit();
