/** A customer's page, a gateway that listens, and a dom0's worker that has unpacked what a test says: without the cage, unless a test brings it. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileEntry, FrameSink, Request } from '../../../../activities/dom0/backup/files/frames.ts';
import {
  OpenedBackups,
  type ImageTools,
  type OpenedBackupsOptions,
  type OpenedLimits,
} from '../../../../activities/dom0/backup/opened/opened-backups.ts';
import type { Container } from '../../../../activities/dom0/backup/port.ts';
import type { StoredBackup } from '../../../../contract/backup.ts';
import { consoleUpgrade } from '../../../../gateway/console/upgrade.ts';
import { createHost } from '../../../../system/host.ts';
import { serve, type HttpServer } from '../../../../system/http/server.ts';
import { storedBackup } from '../../../a-backup.ts';
import { BACKUPS } from '../fake-guests.ts';
import { openShop, type Shop, type Visitor } from '../page/visitor.ts';

/** The newest backup of a guest of the page's. */
export const ID = BACKUPS[1]!.id;
export const PATH = '/my/guests/own/files';
export const encoded = (path: string): string => Buffer.from(path, 'latin1').toString('base64url');

/** A thing in the file system that was unpacked, by its path as Latin-1. */
export type Tree = Record<string, Partial<FileEntry> & { readonly content?: Buffer }>;

export interface Rig {
  readonly shop: Shop;
  readonly visitor: Visitor;
  readonly server: HttpServer;
  readonly opened: OpenedBackups;
  readonly tree: Tree;
  /** Lines of the worker's log. */
  readonly lines: object[];
  /** What unpacking does. Default: nothing, at once. */
  unpack: (onProgress: (bytes: number) => void) => Promise<void>;
  /** What is free there. Default: what is. */
  freeBytes: ((path: string) => number) | undefined;
  /** Called before each piece of content that the reader gives. */
  beforePiece: () => Promise<void>;
  /** Whether the backup is still there. */
  isThere: boolean;
  /** How often a reader was begun, and how many run. */
  readonly readers: { begun: number; running: number };
  /** Where backups are unpacked. */
  readonly directory: string;
  /** What lies there. */
  left(): string[];
  /** Has the backup opened, and waits until it can be read. */
  open(): Promise<void>;
  html(path?: string): Promise<string>;
  close(): Promise<void>;
}

/** What stands in place of what a test says: the cage itself, and a backup that was taken. */
export interface Real extends Pick<OpenedBackupsOptions, 'program' | 'repository'> {
  readonly backup: StoredBackup;
}

export async function openRig(limits: Partial<OpenedLimits> = {}, real?: Real): Promise<Rig> {
  const shop = await openShop();
  await shop.order({ name: 'own', order: 'o-own', customer: 'C-1', hostname: 'own.example.org' });
  await shop.order({ name: 'foreign', order: 'o-foreign', customer: 'C-2' });
  const parent = mkdtempSync(join(tmpdir(), 'guestflow-opened-'));
  const directory = join(parent, 'opened');
  const server = await serve(shop.gateway, { port: 0, upgrade: consoleUpgrade(shop.consoles) });
  const lines: object[] = [];
  const log = (fields: object, message: string): void => void lines.push({ ...fields, message });
  const host = createHost();
  const opened = new OpenedBackups({
    host: { ...host, files: { ...host.files, freeBytes: async (path) => rig.freeBytes?.(path) ?? host.files.freeBytes(path) } },
    gateway: server.url,
    directory,
    program: () => Promise.resolve(new Uint8Array()),
    repository: () => ({
      container: () => ({ unpackTo: (_saved, _device, onProgress) => rig.unpack(onProgress) }) as Partial<Container> as Container,
      has: () => Promise.resolve(rig.isThere),
    }),
    log: { info: log, warn: log },
    limits,
    ...(real ?? { image: imageOf(() => rig) }),
  });
  shop.guests.files.open = (guest, { id, token, backup }) =>
    opened.attach({ id, token, backup: real?.backup ?? storedBackup(guest, backup) });
  const rig: Rig = {
    ...{ shop, server, opened, lines, directory, tree: {}, readers: { begun: 0, running: 0 } },
    visitor: await shop.signedIn('own'),
    unpack: () => Promise.resolve(),
    freeBytes: undefined,
    beforePiece: () => Promise.resolve(),
    isThere: true,
    left: () => readdirSync(parent, { recursive: true }).map(String),
    open: async () => {
      const form = rig.visitor.formOf(await rig.html(), PATH);
      const answer = await rig.visitor.post(PATH, form);
      if (answer.status !== 303) throw new Error(`${answer.status}: ${await answer.text()}`);
      for (let html = await rig.html(); html.includes('data-live'); html = await rig.html())
        await new Promise((done) => setTimeout(done, 10));
    },
    html: async (path = `${PATH}?backup=${ID}`) => (await rig.visitor.get(path)).text(),
    close: async () => {
      shop.files.close();
      shop.consoles.close();
      await opened.close();
      await server.close();
      rmSync(parent, { recursive: true, force: true });
    },
  };
  return rig;
}

/** In place of the cage: a reader that gives what the tree has, in the order of its keys. */
function imageOf(rig: () => Rig): ImageTools {
  return {
    unpack: (_place, { fill }) => fill('/image'),
    read: async ({ signal }, _place, { request, sink }) => {
      const { readers } = rig();
      readers.begun += 1;
      readers.running += 1;
      try {
        await say(rig(), signal, request, sink);
      } finally {
        readers.running -= 1;
      }
    },
  };
}

async function say(rig: Rig, signal: AbortSignal, { what, paths: [path = ''] }: Request, sink: FrameSink): Promise<void> {
  const { tree } = rig;
  const own = path === '' ? { kind: 'directory' as const } : tree[path];
  if (own === undefined) {
    sink.problem({ is: 'problem', path, reason: 'is not there', isLoss: true });
    return;
  }
  const below = Object.keys(tree).filter((each) => isBelow(each, path, what === 'list'));
  const isDirectory = (own.kind ?? 'file') === 'directory';
  const asked = what === 'list' && isDirectory ? below : [path, ...(isDirectory ? below : [])];
  for (const each of asked) await give(rig, signal, each, what === 'list', sink);
}

function isBelow(path: string, directory: string, isDirectly: boolean): boolean {
  const rest = directory === '' ? path : path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : '';
  return rest !== '' && !(isDirectly && rest.includes('/'));
}

const PIECE = 100_000;

async function give(rig: Rig, signal: AbortSignal, path: string, isListed: boolean, sink: FrameSink): Promise<void> {
  const { content = Buffer.alloc(0), ...entry } = rig.tree[path] ?? { kind: 'directory' as const };
  const segments = entry.segments ?? (content.length > 0 ? [[0, content.length] as const] : []);
  await sink.entry({
    ...{ is: 'entry', path, kind: 'file', mode: 0o644, uid: 0, gid: 0, size: content.length, mtime: [1_767_225_600, 0], attributes: [] },
    ...entry,
    segments: isListed ? [] : [...segments],
  });
  if (isListed) return;
  for (let at = 0; at < content.length; at += PIECE) {
    await rig.beforePiece();
    signal.throwIfAborted();
    await sink.content(content.subarray(at, at + PIECE));
  }
}
