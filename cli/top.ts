/** What `guestflow top --domains` does. Cpu shares need two looks at the same dom0; the first shows seconds only. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guestflow } from '../client/index.ts';
import { GuestflowError } from '../contract/errors.ts';
import type { DomainRow } from '../contract/dom0.ts';
import type { TopOptions } from './commands/top.ts';
import { withGuestflow } from './context.ts';
import { interruptible } from './interrupt.ts';
import { printJson, printLine, printTable, type Io } from './io.ts';
import { defined } from '../contract/defined.ts';

const INTERVAL_MS = 3_000;

interface Sample {
  readonly host: string;
  readonly at: number;
  readonly domains: readonly DomainRow[];
  /** Why nothing is known of it. */
  readonly error?: string;
}

export async function top(io: Io, options: TopOptions): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const hosts = options.dom0 === undefined ? await flow.dom0s() : [options.dom0];
    if (hosts.length === 0)
      throw new GuestflowError('NotFound', 'no dom0 has registered', { mend: 'start a worker on one: guestflow worker dom0' });
    const first = await sample(flow, hosts);
    if (options.json)
      printJson(
        io,
        first.map(({ host, domains, error }) => ({ host, domains, ...defined({ error }) })),
      );
    else draw(io, first, []);
    if (options.watch !== undefined) await interruptible(io, (signal) => again(io, flow, hosts, first, signal), 'interrupted');
    return undefined;
  });
}

/** Of several dom0s, one that is down does not hide the others. */
function sample(flow: Guestflow, hosts: readonly string[]): Promise<Sample[]> {
  return Promise.all(
    hosts.map(async (host): Promise<Sample> => {
      try {
        return { host, domains: await flow.dom0Task<DomainRow[]>(host, 'domains'), at: Date.now() };
      } catch (error) {
        if (hosts.length === 1 || !(error instanceof GuestflowError)) throw error;
        return { host, domains: [], at: Date.now(), error: error.message };
      }
    }),
  );
}

async function again(io: Io, flow: Guestflow, hosts: readonly string[], first: readonly Sample[], signal: AbortSignal): Promise<void> {
  for (let before = first; ;) {
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const now = await sample(flow, hosts);
    if (io.stdout.isTTY === true) io.stdout.write('\u001B[H\u001B[2J');
    draw(io, now, before);
    before = now;
  }
}

function draw(io: Io, samples: readonly Sample[], before: readonly Sample[]): void {
  for (const current of samples) {
    const last = before.find(({ host }) => host === current.host);
    printLine(io, `dom0 ${current.host}: ${current.error ?? `${current.domains.length} domains`}`);
    if (current.error !== undefined) continue;
    printTable(
      io,
      ['NAME', 'ID', 'STATE', 'MEM MiB', 'VCPUS', 'CPU s', 'CPU %'],
      current.domains.map((domain) => [
        domain.name,
        String(domain.id),
        domain.state,
        String(domain.memoryMiB),
        String(domain.vcpus),
        domain.cpuSeconds.toFixed(1),
        cpuShare(domain, current, last),
      ]),
    );
  }
}

function cpuShare(domain: DomainRow, now: Sample, before: Sample | undefined): string {
  const earlier = before?.domains.find(({ name, id }) => name === domain.name && id === domain.id);
  if (before === undefined || earlier === undefined || now.at <= before.at) return '-';
  return (((domain.cpuSeconds - earlier.cpuSeconds) * 100_000) / (now.at - before.at)).toFixed(1);
}
