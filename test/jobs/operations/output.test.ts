/** The output of a job has complete characters, whatever the chunks in which its log arrives. */
import t from 'tap';
import { terminal as hasEnded, startPlugins } from '../instance.ts';

const { instance } = await startPlugins(t);

t.test('a chunk after half a character is decoded together with it', async (t) => {
  const chunks = [[0x61, 0xc3], [0x78], [0xe2, 0x80], [0x79], [0xc3], [0xa9]];
  const one = await instance({
    wrap: (client) => ({
      ...client,
      followLog: async function* () {
        for (const chunk of chunks) yield Uint8Array.from(chunk);
      },
    }),
  });
  const id = await one.submit({ command: 'true' });
  await one.until(id, hasEnded);
  t.equal(await one.output(id), 'a\ufffdx\ufffdyé');
});
