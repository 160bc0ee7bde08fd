/** The executable answers a launcher as the recorded conversations do. */
import t from 'tap';
import { type Partner, readConversations, replay } from '../launcher/conversation.ts';
import { encodeFrameBody, type PluginProcess, startPlugin } from '../support/plugin.ts';
import { openCluster } from './cluster.ts';

const skip =
  process.env['TEST_ON'] === 'cluster' &&
  'recorded conversations list all jobs of the namespace, which is not ours alone';

/** The executable as the conversation's partner. */
function partner(plugin: PluginProcess): Partner {
  const received: string[] = [];
  let wake = (): void => undefined;
  plugin.wire.onFrame((frame) => {
    received.push(JSON.stringify(frame));
    wake();
  });
  return {
    send: (body) => plugin.sendBytes(encodeFrameBody(body)),
    next: async (withinMs) => {
      if (received.length === 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, withinMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return received.shift();
    },
    end: async () => {
      plugin.endInput();
      const { code } = await plugin.exit;
      if (code !== 0) throw new Error(`ended with exit code ${code}`);
    },
  };
}

t.jobs = 3;
for (const conversation of readConversations()) {
  t.test(`the executable answers as recorded: ${conversation.about}`, { skip }, async (t) => {
    const cluster = await openCluster();
    t.teardown(() => cluster.close());
    const plugin = await startPlugin({
      options: {
        'api-url': cluster.url,
        'auth-token': cluster.pluginToken,
        'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
        'kubernetes-namespace': cluster.namespace,
        'heartbeat-interval-seconds': '0',
      },
    });
    t.teardown(() => plugin.close());
    const compared = await replay(conversation, partner(plugin), { image: cluster.image });
    t.ok(compared >= 10, `${compared} messages as recorded`);
  });
}
