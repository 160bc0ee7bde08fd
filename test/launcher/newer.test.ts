/** What newer launchers say (nodes, reload, metrics, system jobs) is served, and older ones get what they know. */
import t from 'tap';
import type { InheritedSettings } from '../../src/launcher/answers.ts';
import { createLatencyHistogram } from '../../src/launcher/own-metrics.ts';
import { createFakeJobs } from './fake-jobs.ts';
import { startLauncher } from './harness.ts';

const NONE = { errorType: 0, errorMessage: '', applied: [], pendingRestart: [] } as const;

t.test('[nodes] load-balancer nodes are answered with the base fields, whatever is in them', async (t) => {
  const launcher = await startLauncher();
  launcher.sendText(
    '{"messageType":201,"requestId":5,"nodes":[{"host":"a","ipv4":"10.0.0.1","port":"5559","lastSeen":"2026-01-02T03:04:05Z","status":"Online"}]}',
  );
  launcher.sendText('{"messageType":201,"requestId":6,"username":7,"nodes":[3,null,{"port":5559}]}');
  launcher.sendText('{"messageType":201,"requestId":7,"nodes":"none"}');
  t.strictSame(await launcher.texts(), [
    '{"messageType":201,"requestId":5,"responseId":1}',
    '{"messageType":201,"requestId":6,"responseId":2}',
    '{"messageType":201,"requestId":7,"responseId":3}',
  ]);
  await launcher.end();
});

t.test('[reload] what is pushed reaches the configuration, what it says comes back with the generation', async (t) => {
  const pushed: [InheritedSettings, number][] = [];
  const launcher = await startLauncher({
    reload: async (settings, generation) => {
      pushed.push([settings, generation]);
      return { errorType: 0, errorMessage: '', applied: ['job-expiry-hours'], pendingRestart: ['server-user'] };
    },
  });
  launcher.sendText(
    '{"messageType":202,"requestId":5,"generation":4,"inheritedSettings":{"serverUser":"rstudio","enableDebugLogging":true,"scratchPath":"/s","loggingDir":"/l","heartbeatIntervalSeconds":5,"jobExpiryHours":0.5,"pluginMetricsIntervalSeconds":60,"includePluginMetricsIntervalSeconds":true,"more":1}}',
  );
  launcher.sendText(
    '{"messageType":202,"requestId":6,"inheritedSettings":{"pluginMetricsIntervalSeconds":0,"includePluginMetricsIntervalSeconds":false}}',
  );
  launcher.sendText('{"messageType":202,"requestId":7,"username":"u","inheritedSettings":null}');
  t.strictSame(await launcher.texts(), [
    '{"messageType":202,"requestId":5,"responseId":1,"errorType":0,"errorMessage":"","applied":["job-expiry-hours"],"pendingRestart":["server-user"],"generation":4}',
    '{"messageType":202,"requestId":6,"responseId":2,"errorType":0,"errorMessage":"","applied":["job-expiry-hours"],"pendingRestart":["server-user"],"generation":0}',
    '{"messageType":202,"requestId":7,"responseId":3,"errorType":0,"errorMessage":"","applied":["job-expiry-hours"],"pendingRestart":["server-user"],"generation":0}',
  ]);
  t.strictSame(pushed, [
    [
      {
        serverUser: 'rstudio',
        enableDebugLogging: true,
        scratchPath: '/s',
        loggingDir: '/l',
        heartbeatIntervalSeconds: 5,
        jobExpiryHours: 0.5,
        pluginMetricsIntervalSeconds: 60,
      },
      4,
    ],
    [{}, 0],
    [{}, 0],
  ]);
  await launcher.end();
});

t.test(
  '[reload-errors] wrong settings are errorType 2 with the generation, and nothing is applied; reloads do not overlap',
  async (t) => {
    let running = 0;
    let most = 0;
    const launcher = await startLauncher({
      reload: async (_, generation) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return generation === 2 ? { ...NONE, errorType: 1, errorMessage: 'profiles: cannot be read' } : NONE;
      },
    });
    launcher.sendText('{"messageType":202,"requestId":1,"generation":9,"inheritedSettings":{"jobExpiryHours":"1"}}');
    t.strictSame(await launcher.texts(), [
      '{"messageType":202,"requestId":1,"responseId":1,"errorType":2,"errorMessage":"inheritedSettings.jobExpiryHours is text; it must be a number","applied":[],"pendingRestart":[],"generation":9}',
    ]);
    for (const generation of [1, 2, 3]) launcher.send({ messageType: 202, requestId: generation, generation });
    t.match(await launcher.received(), [
      { requestId: 1, errorType: 0, generation: 1 },
      { requestId: 2, errorType: 1, errorMessage: 'profiles: cannot be read', generation: 2 },
      { requestId: 3, errorType: 0, generation: 3 },
    ]);
    t.equal(most, 1);
    await launcher.end();
  },
);

t.test('[metrics] a report each interval, response 0, after a Bootstrap with 3.7 or newer', async (t) => {
  let sample: { buckets: number[]; sum: number } | undefined = { buckets: [1, 0, 0, 0, 0, 0, 0, 0, 0, 2], sum: 61.5 };
  const options = {
    metricsIntervalSeconds: 60,
    metrics: () => {
      const clusterInteractionLatencySample = sample;
      sample = undefined;
      return {
        uptimeSeconds: 61.9,
        memoryUsageBytes: 1234,
        ...(clusterInteractionLatencySample && { clusterInteractionLatencySample }),
      };
    },
  };
  const launcher = await startLauncher({ ...options, version: '3.7.0' });
  await launcher.clock.advance(59_999);
  t.strictSame(await launcher.texts(), []);
  await launcher.clock.advance(60_001);
  t.strictSame(await launcher.texts(), [
    '{"messageType":203,"requestId":0,"responseId":0,"uptimeSeconds":61,"memoryUsageBytes":1234,"clusterInteractionLatencySample":{"buckets":[1,0,0,0,0,0,0,0,0,2],"sum":61.5}}',
    '{"messageType":203,"requestId":0,"responseId":0,"uptimeSeconds":61,"memoryUsageBytes":1234}',
  ]);
  t.match(await launcher.ask({ messageType: 201, requestId: 1 }), [{ responseId: 1 }], 'it takes no number');
  await launcher.end();
});

t.test('[metrics-latency] ten buckets that are not cumulative; longer calls count in the sum alone', (t) => {
  const histogram = createLatencyHistogram();
  t.equal(histogram.take(), undefined);
  for (const seconds of [0.01, 0.011, 0.5, 30, 31]) histogram.observe(seconds);
  t.strictSame(histogram.take(), { buckets: [1, 1, 0, 0, 0, 1, 0, 0, 0, 1], sum: 61.521 });
  t.equal(histogram.take(), undefined);
  t.end();
});

t.test('[metrics-older] [negotiate-metrics] no report to older launchers, none with interval 0', async (t) => {
  const older = await startLauncher({ metricsIntervalSeconds: 60, version: '3.6.9' });
  await older.clock.advance(200_000);
  t.strictSame(await older.texts(), []);
  await older.ask({ messageType: 1, requestId: 1, version: { major: 4, minor: 9, patch: 0 } });
  await older.clock.advance(200_000);
  t.strictSame(await older.texts(), [], 'a refused version changes nothing');
  await older.end();

  const off = await startLauncher({ metricsIntervalSeconds: 0 });
  await off.clock.advance(200_000);
  t.strictSame(await off.texts(), []);
  await off.end();
});

t.test('[negotiate-images] a launcher of 3.0 is told of images even if there are none', async (t) => {
  const info = async (version: string): Promise<unknown> => {
    const launcher = await startLauncher({ version });
    const [message] = await launcher.ask({ messageType: 9, requestId: 1, username: '*' });
    await launcher.end();
    return message?.['images'];
  };
  t.strictSame(await info('3.0.0'), []);
  t.strictSame(await info('3.1.0'), undefined);
});

t.test('[system-job] systemJob counts only when an administrator asks', async (t) => {
  const jobs = createFakeJobs();
  const launcher = await startLauncher({ jobs });
  const job = { name: 'a', command: 'b', user: 'alice', systemJob: true };
  const [own] = await launcher.ask({ messageType: 2, requestId: 1, username: 'alice', job });
  const [admins] = await launcher.ask({ messageType: 2, requestId: 2, username: '*', job });
  t.strictSame(
    jobs.submitted.map(({ request }) => request.systemJob),
    [false, true],
  );
  t.notMatch(own, { jobs: [{ systemJob: true }] });
  t.match(admins, { jobs: [{ systemJob: true }] });
  await launcher.end();
});
