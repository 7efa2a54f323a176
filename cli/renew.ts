/** `guestflow dom0 renew`: golden images are made anew, now. */
import { GuestflowError } from '../contract/errors.ts';
import { EXIT } from '../contract/exit-codes.ts';
import { defined } from '../contract/defined.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { printJson, printLine, type Io } from './io.ts';
import { createProgress } from './progress.ts';

export interface RenewOptions extends ServerOptions {
  readonly dist?: string;
  readonly back?: true;
}

/** Exit code 1 when one could not be renewed: what was there stays in use. */
export async function renewGolden(io: Io, host: string, options: RenewOptions): Promise<number> {
  if (options.back === true && options.dist === undefined)
    throw new GuestflowError('InvalidInput', 'the former golden image of which distribution is to be brought back?', {
      field: 'dist',
      mend: 'say it with --dist',
    });
  return withGuestflow(options, async (flow) => {
    const shown = createProgress({ json: options.json === true, stream: io.stderr });
    const wish = defined({ dist: options.dist, isBack: options.back });
    const renewed = await flow.renewGolden(host, wish, (operation) => shown.update({}, { operation })).finally(() => shown.stop());
    if (options.json === true) printJson(io, renewed);
    else if (renewed.length === 0) printLine(io, `dom0 ${host} has no golden images yet: the first order of a distribution makes them`);
    else
      for (const { dist, createdAt, roots, problem } of renewed)
        printLine(
          io,
          problem === undefined
            ? `${dist}: the tarball of ${createdAt} is in use, with ${roots} root file systems`
            : `${dist}: NOT renewed, that of ${createdAt} stays in use: ${problem}`,
        );
    return renewed.some(({ problem }) => problem !== undefined) ? EXIT.failed : EXIT.done;
  });
}
