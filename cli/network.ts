/** What `guestflow network …` does. */
import type { NetworkState } from '../contract/capacity.ts';
import { whyNotBridge } from '../contract/field-checks.ts';
import { DOM0_NAME_PATTERN } from '../contract/guest-name.ts';
import { GuestflowError } from '../contract/errors.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { printFacts, printJson, printLine, printTable, type Io } from './io.ts';
import { defined } from '../contract/defined.ts';

export interface AddOptions extends ServerOptions {
  readonly gateway: string;
  readonly dom0: readonly string[];
  readonly range: readonly string[];
  readonly exclude: readonly string[];
  readonly quarantine: string;
  readonly ipv6?: string;
  readonly ipv6Gateway?: string;
}

export async function listNetworks(io: Io, options: ServerOptions): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const networks = await flow.networks();
    if (options.json) printJson(io, networks);
    else if (networks.length === 0) printLine(io, 'no networks: the first dom0 that registers brings its own');
    else {
      printTable(
        io,
        ['NETWORK', 'GATEWAY', 'LEASED', 'QUARANTINE', 'TAKEN', 'DOM0S'],
        networks.map(({ cidr, settings, leases, quarantined, taken, members }) => [
          cidr,
          settings.gateway,
          String(leases.length),
          String(stillIn(quarantined).length),
          String(taken.length),
          members.map(({ dom0 }) => dom0).join(', '),
        ]),
      );
    }
    return undefined;
  });
}

export async function showNetwork(io: Io, cidr: string, options: ServerOptions): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const state = await flow.network(cidr);
    if (options.json) printJson(io, state);
    else describe(io, state);
    return undefined;
  });
}

export async function addNetwork(io: Io, cidr: string, options: AddOptions): Promise<undefined> {
  const minutes = Number(options.quarantine);
  if (!Number.isInteger(minutes) || minutes < 0 || minutes > 10_080)
    throw new GuestflowError('InvalidInput', `--quarantine "${options.quarantine}" must be whole minutes, from 0 to 10080`, {
      field: 'quarantine',
      value: options.quarantine,
    });
  const dom0s = options.dom0.map(memberOf);
  return withGuestflow(options, async (flow) => {
    await flow.addNetwork({
      cidr,
      gateway: options.gateway,
      dom0s,
      ranges: options.range,
      exclude: options.exclude,
      quarantineSeconds: minutes * 60,
      ...defined({ ipv6: options.ipv6, ipv6Gateway: options.ipv6Gateway }),
    });
    const state = await flow.network(cidr);
    if (options.json) printJson(io, state);
    else describe(io, state);
    return undefined;
  });
}

function memberOf(text: string): { host: string; bridge: string } {
  const [host = '', bridge = '', ...rest] = text.split(':');
  const isGood = rest.length === 0 && DOM0_NAME_PATTERN.test(host) && whyNotBridge(bridge) === undefined;
  if (!isGood)
    throw new GuestflowError('InvalidInput', `--dom0 "${text}" must be HOST:BRIDGE, like xen1:xenbr1`, { field: 'dom0', value: text });
  return { host, bridge };
}

/** What is over is forgotten with the next lease. */
function stillIn(quarantined: NetworkState['quarantined']): NetworkState['quarantined'] {
  return quarantined.filter(({ until }) => Date.parse(until) > Date.now());
}

function describe(io: Io, { cidr, settings, members, leases, quarantined, taken }: NetworkState): void {
  printFacts(io, [
    ['network', cidr],
    ['gateway', settings.gateway],
    ['leased from', settings.ranges.join(', ') || 'all of it'],
    ['never', [...settings.exclude, ...members.flatMap(({ exclude }) => exclude)].join(', ')],
    ['quarantine', `${settings.quarantineSeconds / 60} min`],
    ['IPv6', settings.ipv6 === undefined ? undefined : `${settings.ipv6}, gateway ${settings.ipv6Gateway ?? 'its first address'}`],
    ['reached by', members.map(({ dom0, bridge }) => `${dom0} (${bridge})`).join(', ')],
  ]);
  const used = members.flatMap(({ dom0, addresses }) =>
    addresses
      .filter(({ ip }) => !leases.some((lease) => lease.ip === ip || lease.ip6 === ip))
      .map(({ ip, guest }) => [ip, guest, '', `in a cfg on ${dom0}`]),
  );
  const rows = [
    ...leases.map(({ ip, guest, mac, since, ip6 }) => [ip, guest, mac, `since ${since}${ip6 === undefined ? '' : `, ${ip6}`}`]),
    ...stillIn(quarantined).map(({ ip, guest, mac, until }) => [ip, guest, mac, `in quarantine until ${until}`]),
    ...taken.map(({ ip, dom0, seenAt }) => [ip, '', '', `something answered on ${dom0} at ${seenAt}`]),
    ...used,
  ];
  if (rows.length > 0) printTable(io, ['ADDRESS', 'GUEST', 'MAC', ''], rows);
}
