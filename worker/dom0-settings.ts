/** Reads the settings of a dom0 and of its worker (`/etc/guestflow/dom0.yaml`): the contract's schema, with this machine's own defaults. */
import { readFile } from 'node:fs/promises';
import { hostname, release } from 'node:os';
import { z } from 'zod';
import { parseDocument } from '../order/document.ts';
import { dom0SettingsSchema, type Dom0Settings } from '../order/dom0-settings.ts';
import { GuestflowError } from '../contract/errors.ts';
import { parseCidr, parseIpv4, whyNotHostIn } from '../contract/ipv4.ts';
import { problemsError, problemsOf } from '../order/problems.ts';

/** Settings of a dom0, and how its worker behaves. */
export interface Dom0WorkerSettings extends Dom0Settings {
  /** Seconds that a step may still run after the worker was asked to stop, before it is cancelled. */
  readonly shutdownGraceSeconds: number;
}

/** Where the package keeps them. */
export const DOM0_SETTINGS_PATH = '/etc/guestflow/dom0.yaml';

const workerSchema = dom0SettingsSchema
  .extend({ shutdownGraceSeconds: z.int('must be a whole number of seconds').min(0).max(3_600).default(600) })
  .superRefine(({ network, backupEngine, backupRepository, diskDir, thinPool }, context) => {
    if (diskDir !== undefined && thinPool !== undefined)
      context.addIssue({ code: 'custom', path: ['diskDir'], message: 'must not be set beside thinPool: a disk is a file or a volume' });
    if (backupEngine === 'dump' && backupRepository === 'borg')
      context.addIssue({
        code: 'custom',
        path: ['backupEngine'],
        message: 'must be blocks where backupRepository is borg: no two dumps have anything in common that borg could keep once',
      });
    const gateway = parseIpv4(network.gateway);
    const range = parseCidr(network.cidr);
    const reason = gateway === undefined || range === undefined ? 'is no IPv4 address' : whyNotHostIn(gateway, range);
    if (reason !== undefined) context.addIssue({ code: 'custom', path: ['network', 'gateway'], message: reason });
  });

/** What the schema cannot know: this machine's name and the kernel it runs. */
function machineDefaults(): Record<string, unknown> {
  return {
    host: hostname().split('.')[0]?.toLowerCase(),
    kernel: `/boot/vmlinuz-${release()}`,
    initrd: `/boot/initrd.img-${release()}`,
  };
}

/**
 * Checks settings and fills in defaults.
 *
 * @param from what errors call their source: a path.
 * @throws GuestflowError `InvalidInput` with field, value and reason of each problem.
 */
export function parseDom0Settings(value: unknown, from: string): Dom0WorkerSettings {
  const given = typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...machineDefaults(), ...value } : value;
  const parsed = workerSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw problemsError(from, problemsOf(parsed.error, given, Object.keys(workerSchema.shape)));
}

/**
 * Reads settings from a YAML file.
 *
 * @throws GuestflowError `InvalidInput` when it is not there, is no YAML, or has a wrong value.
 */
export async function loadDom0Settings(path = DOM0_SETTINGS_PATH): Promise<Dom0WorkerSettings> {
  return parseDom0Settings(parseDocument(await readSettings(path), path), path);
}

async function readSettings(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'there is no such file' : String(error);
    throw new GuestflowError('InvalidInput', `The dom0's settings cannot be read from ${path}: ${reason}.`, {
      field: path,
      mend: 'Every key is explained in /usr/share/guestflow/examples/dom0.yaml; network is the only one without a default.',
    });
  }
}
