/** `events ID`: the Kubernetes events of a job and its pods, the oldest first. */

import type { Arguments } from './arguments.ts';
import { connectCommand } from './command-client.ts';
import { type Command, EXIT_OK } from './command-contract.ts';
import { begin, type CommandContext } from './command-session.ts';
import { eventTable, findJob } from './job-detail.ts';
import { takeSnapshot } from './snapshot.ts';
import { clean, cleanJson, type Terminal } from './terminal.ts';

export const events: Command = {
  name: 'events',
  summary: 'Shows the Kubernetes events of a job and its pods, the oldest first.',
  about:
    'Kubernetes keeps events for one hour by default. Repeated events are one line, with the time of the last repetition. Changes nothing.',
  words: ['ID'],
  flags: [{ name: 'json', doc: 'Print JSON.' }],
  examples: [
    [
      'sudo rstudio-kubernetes-launcher events session-jane-x7k2q9w1ab',
      'What did the scheduler and the kubelet report?',
    ],
  ],
  run: runEvents,
};

async function runEvents(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const [id = ''] = args.words;
  const options = await begin(args.options, context, terminal);
  const client = connectCommand(options, context);
  try {
    const snapshot = await takeSnapshot(client, (line) => terminal.say(line), { allEvents: true });
    const found = findJob(snapshot, id);
    const now = client.serverTime() ?? context.clock.now();
    if (args.flags.has('json')) terminal.write(`${cleanJson(found.events, 2)}\n`);
    else if (!found.canListEvents)
      terminal.say(`Events of job ${clean(id)} are not known without permission to list them.`);
    else if (found.events.length === 0) terminal.say(`Kubernetes has no events of job ${clean(id)}.`);
    else terminal.write(eventTable(found.events, now, terminal));
    return EXIT_OK;
  } finally {
    await client.close();
  }
}
