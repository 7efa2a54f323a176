/** Which addresses a webhook may go to: only public ones, so that nobody can make the control worker talk to machines of its own network. */
import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { GuestflowError } from '../../../contract/errors.ts';

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Finds the addresses of a host. Default: as the machine does. */
export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** Whether an address is public: not private, loopback, link-local, multicast or reserved, nor one of these mapped into IPv6. */
export function isPublic(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  // `process` turns ::ffff:10.0.0.1 into 10.0.0.1.
  return ipaddr.process(text).range() === 'unicast';
}

/**
 * The address to connect to: the one that was checked, since a second look-up may find another.
 *
 * @throws GuestflowError InvalidInput if the host has only addresses that are not allowed; Unreachable if it has none
 */
export async function addressOf(
  host: string,
  allowPrivate: boolean,
  resolve: Resolve = (name) => lookup(name, { all: true, verbatim: true }),
): Promise<Address> {
  const bare = host.replace(/^\[|\]$/g, '');
  const found = await resolve(bare).catch((error: unknown) => {
    throw new GuestflowError(
      'Unreachable',
      `the receiver ${bare} has no address: ${error instanceof Error && 'code' in error ? String(error.code) : 'the look-up failed'}`,
    );
  });
  const allowed = found.find(({ address }) => allowPrivate || isPublic(address));
  if (allowed !== undefined) return { address: allowed.address, family: allowed.family === 6 ? 6 : 4 };
  if (found.length === 0) throw new GuestflowError('Unreachable', `the receiver ${bare} has no address`);
  throw new GuestflowError(
    'InvalidInput',
    `the receiver ${bare} has no public address: webhooks go to private ones only with allowPrivate: true`,
    { field: 'url' },
  );
}
