/**
 * Where Temporal is, for a client: a flag, the configuration that every Temporal tool reads (`TEMPORAL_ADDRESS`, `temporal.toml`, …),
 * else the embedded server of this state directory.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { GuestflowError } from '../contract/errors.ts';
import { loadCodecKeys, type CodecKey } from './codec/keys.ts';
import { defined } from '../contract/defined.ts';

/** What overrides the configuration. */
export interface EndpointOptions {
  /** `host:port` of Temporal's frontend. */
  readonly address?: string;
  /** Default: the configuration's, else `default`. */
  readonly namespace?: string;
  /** Where the embedded server keeps its record. Default: `GUESTFLOW_STATE`, else `.guestflow` in the working directory. */
  readonly stateDir?: string;
  /** File of codec keys. Default: `GUESTFLOW_CODEC_KEY_FILE`, else the systemd credential `codec-keys`, else none: payloads are not encrypted. */
  readonly codecKeyFile?: string | undefined;
}

/** A Temporal to talk to. */
export interface Endpoint {
  readonly address: string;
  readonly namespace: string;
  readonly connection: ConnectionOptions & { readonly address: string };
  /** Who named the address, for errors. */
  readonly source: string;
  /** The Temporal UI, where it is known. */
  readonly uiUrl?: string;
  /** Keys that payloads are encrypted with, the one that encrypts first. None: they are not. */
  readonly codecKeys: readonly CodecKey[];
}

/** Where the embedded server lives when nothing says otherwise. */
export function defaultStateDir(): string {
  return resolve(process.env['GUESTFLOW_STATE'] ?? '.guestflow');
}

/**
 * The endpoint to use.
 *
 * @throws GuestflowError Unreachable when nothing names one; InvalidInput when the configuration or the codec keys cannot be read
 */
export async function findEndpoint(options: EndpointOptions = {}): Promise<Endpoint> {
  const { connectionOptions, namespace: configured } = readConfiguration();
  const namespace = options.namespace ?? configured ?? 'default';
  const ui = process.env['GUESTFLOW_TEMPORAL_UI'];
  const codecKeys = await loadCodecKeys(options.codecKeyFile);
  const known = (address: string, source: string): Endpoint => ({
    address,
    namespace,
    source,
    codecKeys,
    connection: { ...connectionOptions, address },
    ...defined({ uiUrl: ui }),
  });
  if (options.address !== undefined) return known(options.address, '--address');
  const { address } = connectionOptions;
  if (address !== undefined && address !== '') return known(address, 'the configuration of Temporal (TEMPORAL_ADDRESS or temporal.toml)');
  const stateDir = options.stateDir ?? defaultStateDir();
  const embedded = await readRecord(join(stateDir, 'temporal', 'server.json'));
  if (embedded === undefined) {
    throw new GuestflowError(
      'Unreachable',
      `no Temporal is known: TEMPORAL_ADDRESS is not set and no embedded server was started in ${stateDir}`,
      {
        mend: 'start one with `guestflow up`, or name yours in TEMPORAL_ADDRESS or --address',
      },
    );
  }
  return {
    address: embedded.address,
    namespace,
    source: `the embedded server of ${stateDir}`,
    codecKeys,
    connection: { address: embedded.address },
    uiUrl: ui ?? embedded.uiUrl,
  };
}

function readConfiguration(): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig();
  } catch (error) {
    throw new GuestflowError(
      'InvalidInput',
      `the configuration of the Temporal client cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      {
        mend: 'look at the TEMPORAL_… variables of the environment and at the file that TEMPORAL_CONFIG_FILE names',
      },
    );
  }
}

/** The embedded server listens on this machine only; its record has the ports. */
async function readRecord(path: string): Promise<{ address: string; uiUrl: string } | undefined> {
  try {
    const record: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof record !== 'object' || record === null || !('port' in record) || !('uiPort' in record)) return undefined;
    if (typeof record.port !== 'number' || typeof record.uiPort !== 'number') return undefined;
    return { address: `127.0.0.1:${record.port}`, uiUrl: `http://127.0.0.1:${record.uiPort}` };
  } catch {
    return undefined;
  }
}
