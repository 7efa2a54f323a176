import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { GuestflowError } from '../../../contract/errors.ts';
import { loadDom0Settings, parseDom0Settings } from '../../../worker/dom0-settings.ts';

const NETWORK = { cidr: '192.0.2.0/24', gateway: '192.0.2.1' };
const EXAMPLE = fileURLToPath(new URL('../../../deploy/dom0/dom0.yaml', import.meta.url));

function refusal(value: unknown): GuestflowError {
  try {
    parseDom0Settings(value, 'dom0.yaml');
  } catch (error) {
    if (error instanceof GuestflowError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('settings of a dom0', () => {
  it('need nothing but the network: this machine’s name and kernel are the defaults', () => {
    const settings = parseDom0Settings({ network: NETWORK }, 'dom0.yaml');
    expect(settings.host).toMatch(/^[a-z0-9.-]+$/);
    expect(settings.kernel).toMatch(/^\/boot\/vmlinuz-/);
    expect(settings).toMatchObject({ volumeGroup: 'vg01', bulkSlots: 1, wipeMiBPerSecond: 200, shutdownGraceSeconds: 600 });
  });

  it.each([
    ['an unknown key', { network: NETWORK, volumegroup: 'vg02' }, 'volumegroup'],
    ['no network', {}, 'network'],
    ['antispoof by another word', { network: { ...NETWORK, antispoof: 'on' } }, 'network.antispoof'],
    ['a gateway outside of the network', { network: { ...NETWORK, gateway: '192.0.3.1' } }, 'network.gateway'],
    ['a gateway that is the broadcast address', { network: { ...NETWORK, gateway: '192.0.2.255' } }, 'network.gateway'],
    ['a path that climbs', { network: NETWORK, imageDir: '/home/../etc' }, 'imageDir'],
    ['a path that is not absolute', { network: NETWORK, backupDir: 'backups' }, 'backupDir'],
    ['a directory of disks that ends with a slash', { network: NETWORK, diskDir: '/home/xen/disks/' }, 'diskDir'],
    ['a directory of disks over a dot', { network: NETWORK, diskDir: '/home/./disks' }, 'diskDir'],
    ['a directory of disks beside a thin pool', { network: NETWORK, diskDir: '/home/xen/disks', thinPool: 'guests' }, 'diskDir'],
    ['a volume group that would be an option', { network: NETWORK, volumeGroup: '-vg' }, 'volumeGroup'],
    ['a rate of wiping that is none', { network: NETWORK, wipeMiBPerSecond: -1 }, 'wipeMiBPerSecond'],
    ['a rate of backups that would not end', { network: NETWORK, backupRate: '1KiB' }, 'backupRate'],
    ['a rate of backups without a unit', { network: NETWORK, backupRate: 100 }, 'backupRate'],
    ['dumps in a borg repository', { network: NETWORK, backupEngine: 'dump', backupRepository: 'borg' }, 'backupEngine'],
    ['a repository that is none', { network: NETWORK, backupRepository: 'restic' }, 'backupRepository'],
    ['a gateway of consoles without TLS', { network: NETWORK, consoleGateway: 'http://panel.example.org' }, 'consoleGateway'],
    ['a gateway of consoles with a path', { network: NETWORK, consoleGateway: 'https://panel.example.org/my' }, 'consoleGateway'],
    ['too many bulk slots', { network: NETWORK, bulkSlots: 3 }, 'bulkSlots'],
    ['a grace time above the unit’s', { network: NETWORK, shutdownGraceSeconds: 3601 }, 'shutdownGraceSeconds'],
    ['a document that is no map', ['network'], undefined],
  ])('refuse %s, naming the field', (_what, value, field) => {
    const error = refusal(value);
    expect(error.type).toBe('InvalidInput');
    expect(error.details.field).toBe(field);
  });

  it('that are not there are bad input, with the path', async () => {
    await expect(loadDom0Settings('/nonexistent/dom0.yaml')).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('/nonexistent/dom0.yaml') as string,
    });
  });

  it('of the example file are taken with every line switched on, and show the defaults', () => {
    const text = readFileSync(EXAMPLE, 'utf8').replaceAll(/^#(?=[a-z ] ?[a-zA-Z]+:|[a-zA-Z]+:)/gm, '');
    const shown = parse(text) as Record<string, unknown>;
    // Disks are files or volumes.
    const { diskDir, thinPool, ...others } = shown;
    const settings = {
      ...parseDom0Settings({ ...others, thinPool }, 'dom0.yaml'),
      ...parseDom0Settings({ ...others, diskDir }, 'dom0.yaml'),
    };
    expect(Object.keys(shown).sort()).toEqual(Object.keys(settings).sort());
    // These are the machine's own, or have no default.
    const own = [
      'host',
      'ubuntuMirror',
      'codecKeyFile',
      'network',
      'kernel',
      'initrd',
      'modules',
      'mirror',
      'thinPool',
      'diskDir',
      'consoleGateway',
    ];
    const rest = (value: object): object => Object.fromEntries(Object.entries(value).filter(([key]) => !own.includes(key)));
    expect(rest(settings)).toEqual(rest(parseDom0Settings({ network: NETWORK }, 'dom0.yaml')));
  });
});
