/** The backups that a dom0's worker has unpacked, so that their files can be looked at in a browser: so many at a time, one a guest, none longer than its limits. */
import type { StoredBackup } from '../../../../contract/backup.ts';
import type { FilesEnd } from '../../../../contract/backup-files.ts';
import { GuestflowError } from '../../../../contract/errors.ts';
import { GiB, MiB } from '../../../../contract/sizes.ts';
import type { Host } from '../../../../system/host.ts';
import { connectToGateway, mustHaveGateway, NotTaken } from '../../gateway-socket.ts';
import type { StepLog, Work } from '../../work.ts';
import { mustBeReadable, readImage, unpackImage } from '../files/read-files.ts';
import type { Container } from '../port.ts';
import { OpenedBackup } from './opened-backup.ts';

/** Bounds. Times in milliseconds. */
export interface OpenedLimits {
  /** At a time. One takes as much room as its guest's files. */
  readonly most: number;
  /** Without a question or an answer. */
  readonly idleMs: number;
  /** In all. */
  readonly sessionMs: number;
  /** The gateway asks whether the worker is there every 20 s; after this time without a word it is gone. */
  readonly silenceMs: number;
  /** How often it is looked whether the backup is still there. */
  readonly lookMs: number;
  /** Content sent a second at most, of one answer: a download does not take the dom0's network. */
  readonly bytesPerSecond: number;
  /** Left free where backups are unpacked, and half of what is free there when one is opened. */
  readonly freeBytes: number;
}

const MINUTE_MS = 60_000;

/** What a dom0 allows. */
export const OPENED_LIMITS: OpenedLimits = {
  most: 2,
  idleMs: 10 * MINUTE_MS,
  sessionMs: 60 * MINUTE_MS,
  silenceMs: 1.5 * MINUTE_MS,
  lookMs: MINUTE_MS,
  bytesPerSecond: 32 * MiB,
  freeBytes: 2 * GiB,
};

/** How an image is laid out and read: the cage, where it is not replaced by a test. */
export interface ImageTools {
  readonly unpack: typeof unpackImage;
  readonly read: typeof readImage;
}

export interface OpenedBackupsOptions {
  readonly host: Host;
  /** Origin of the gateway. Default: files are refused. */
  readonly gateway?: string | undefined;
  /** Where backups are unpacked. What is in it when the worker starts was left by a killed one. */
  readonly directory: string;
  /** The reader, as a CommonJS program. Default: files are refused. */
  readonly program?: (() => Promise<Uint8Array>) | undefined;
  /** What holds the content of a backup, and whether the backup is still there, as work of its own that a signal ends. */
  readonly repository: (work: Pick<Work, 'signal' | 'progress'>) => {
    container(backup: StoredBackup): Container;
    has(backup: StoredBackup): Promise<boolean>;
  };
  readonly log: StepLog;
  /** Default: `OPENED_LIMITS`. */
  readonly limits?: Partial<OpenedLimits>;
  /** Default: the cage. */
  readonly image?: ImageTools;
}

/** A backup that is to be opened. */
export interface OpenRequest {
  readonly id: string;
  /** By which the gateway knows the connection. */
  readonly token: string;
  readonly backup: StoredBackup;
}

export class OpenedBackups {
  private readonly options: OpenedBackupsOptions;
  private readonly limits: OpenedLimits;
  /** By guest. One that is being opened counts. */
  private readonly open = new Map<string, { readonly opening: Promise<OpenedBackup>; readonly over: Promise<void> }>();
  /** The directory goes when nothing is open. */
  private cleaning: Promise<void> = Promise.resolve();
  private isClosed = false;

  constructor(options: OpenedBackupsOptions) {
    this.options = options;
    this.limits = { ...OPENED_LIMITS, ...options.limits };
  }

  /** Removes what a killed worker has left unpacked. */
  async clean(): Promise<void> {
    await this.options.host.files.removeTree(this.options.directory);
  }

  /**
   * Connects to the gateway, and returns; from then on the backup is unpacked and read by itself. Another one of the guest's that is open ends.
   *
   * @throws GuestflowError HostNotReady, InvalidInput, Busy, Unreachable
   */
  async attach(request: OpenRequest): Promise<void> {
    const gateway = mustHaveGateway(this.options.gateway);
    const { program } = this.options;
    const { backup } = request;
    const { guest } = backup;
    if (program === undefined) throw new GuestflowError('HostNotReady', 'this worker has no reader of file systems');
    mustBeReadable(backup);
    // Again after each wait: of several who ask at a time, the last one has it.
    while (this.open.has(guest)) await this.end(guest, 'replaced');
    if (this.isClosed || this.open.size >= this.limits.most)
      throw new GuestflowError('Busy', `this dom0 has ${this.open.size} backups unpacked, as many as it may`);
    const opening = this.connect(gateway, request, program);
    const over = opening
      .then((opened) => this.watch(request, opened))
      .then(
        () => this.forget(guest),
        () => this.forget(guest),
      );
    this.open.set(guest, { opening, over });
    await opening;
  }

  /** Ends what is open of a guest, and returns when nothing of it is left. */
  async end(guest: string, reason: FilesEnd): Promise<void> {
    const found = this.open.get(guest);
    (await found?.opening.catch(() => undefined))?.end(reason);
    await found?.over;
  }

  /** Ends all of them, and takes no more. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.open.keys()].map((guest) => this.end(guest, 'stopped')));
  }

  private async watch({ id, backup }: OpenRequest, opened: OpenedBackup): Promise<void> {
    const told = { files: id, guest: backup.guest, backup: backup.id };
    const { log } = this.options;
    log.info(told, 'backup opened');
    log.info({ ...told, end: await opened.ended }, 'backup closed');
  }

  private async forget(guest: string): Promise<void> {
    this.open.delete(guest);
    if (this.open.size === 0) this.cleaning = this.clean().catch(() => undefined);
    await this.cleaning;
  }

  private async connect(gateway: string, { id, token, backup }: OpenRequest, program: () => Promise<Uint8Array>): Promise<OpenedBackup> {
    const { host, directory, repository, log, image = { unpack: unpackImage, read: readImage } } = this.options;
    try {
      await this.cleaning;
      await host.files.makeDirectory(directory, 0o700);
      const socket = await connectToGateway(gateway, id, token);
      return new OpenedBackup(socket, { host, gateway, directory, repository, log, image, backup, program: await program() }, this.limits);
    } catch (error) {
      if (!(error instanceof NotTaken)) throw error;
      throw new GuestflowError('Unreachable', `backup ${backup.id} of ${backup.guest} was not connected to ${gateway}: ${error.message}`, {
        field: 'consoleGateway',
      });
    }
  }
}
