/** The gateway as a process of its own, for the storm to kill. Arguments: port, address of Temporal, folder of secrets and prices, milliseconds to answer. */
import { join } from 'node:path';
import { runGateway } from '../../gateway/run.ts';

const [port = '0', address = '', directory = '', answerMs = '950'] = process.argv.slice(2);

await runGateway({
  listen: port,
  endpoint: { address },
  files: {
    stripeSecretFile: join(directory, 'stripe'),
    signupSecretFile: join(directory, 'signup'),
    prices: join(directory, 'prices.yaml'),
  },
  answerMs: Number(answerMs),
  signal: new AbortController().signal,
});
