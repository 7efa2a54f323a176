/** `guestflow usage`: a guest's traffic by month, and what it has now. */
import { formatSize } from '../contract/sizes.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { printJson, printLine, printTable, type Io } from './io.ts';

export async function showUsage(io: Io, name: string, options: ServerOptions): Promise<undefined> {
  const usage = await withGuestflow(options, (flow) => flow.usage(name));
  if (options.json) {
    printJson(io, { guest: name, ...usage });
    return undefined;
  }
  const { since, months, diskBytes, memoryBytes, vcpus } = usage;
  printLine(io, `${name}: disks ${formatSize(diskBytes)}, ${vcpus === 0 ? 'off' : `memory ${formatSize(memoryBytes)}, vcpus ${vcpus}`}`);
  printLine(io, since === undefined ? 'its traffic is not counted yet' : `its traffic is counted since ${since}`);
  if (months.length > 0)
    printTable(
      io,
      ['MONTH', 'IN', 'OUT'],
      months.map(({ month, inBytes, outBytes }) => [month, formatSize(inBytes), formatSize(outBytes)]),
    );
  return undefined;
}
