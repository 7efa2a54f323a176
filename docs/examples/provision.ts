/**
 * Orders a guest from a script and waits for it:
 *
 *   npx tsx docs/examples/provision.ts web1
 *
 * Temporal is found as the command line finds it (docs/cli.md, "Where Temporal is").
 */
/* eslint-disable no-console -- a script talks to its user */
import { connect, GuestflowError, loadPlans, resolveOrder } from '../../client/index.ts';

async function provision(name: string): Promise<void> {
  const flow = await connect();
  try {
    const [dom0] = await flow.dom0s();
    if (dom0 === undefined) throw new GuestflowError('NotFound', 'no dom0 has registered');

    // The same checks as those of `guestflow provision --check`; what is wrong is thrown as InvalidInput.
    const order = resolveOrder({ name, plan: 'small', extra: 'quiet' }, { plans: await loadPlans(), defaults: { dom0 } });

    // Returns as soon as the order is taken. The same order again is the same guest, with the same answer.
    const { workflowId } = await flow.order(order);
    console.log(`${workflowId} is on its way: ${flow.guestUrl(name) ?? ''}`);

    const status = await flow.waitFor(name, {
      onProgress: ({ operation }) => {
        const step = operation?.steps.find(({ state }) => state === 'running');
        if (step !== undefined) console.log(`  ${step.name}`);
      },
    });
    const failure = await flow.failureOf(status);
    if (failure !== undefined) throw failure;
    console.log(`${name} is ${status.phase} at ${status.spec?.network.ip ?? '?'}`);
  } finally {
    await flow.close();
  }
}

try {
  await provision(process.argv[2] ?? 'example1');
} catch (error) {
  if (!(error instanceof GuestflowError)) throw error;
  console.error(`${error.type}: ${error.message}`);
  process.exitCode = 1;
}
