/** The files of a backup in a browser: what the gateway asks of a dom0's worker, and what that says. */
import type { GuestPhase } from './guest.ts';

/** Phases of a guest in which its backups can be looked into. */
export const FILES_PHASES: ReadonlySet<GuestPhase> = new Set<GuestPhase>(['running', 'stopped', 'rescue']);

/** What is asked of a dom0 through Temporal: its token is sealed, since what is asked is kept in a history. */
export interface FilesWish {
  /** Id of the connection: 1-64 letters, digits, hyphens, underscores. */
  readonly id: string;
  /** One-time token by which the gateway knows the worker, sealed for this dom0. */
  readonly token: string;
  /** Id of the backup. */
  readonly backup: string;
}

/** What the token is sealed for: a box is of no other connection, guest or backup. */
export function filesContext(id: string, guest: string, backup: string): string {
  return `files/${id}/${guest}/${backup}`;
}

/** `list`: what is in a directory. `file`: the content of a file. `tar`: a directory with all below it. */
export type FilesQuestion = 'list' | 'file' | 'tar';

/** Asked over the connection of an opened backup. The worker brings the answer over another one, so that no answer waits for another. */
export interface FilesRequest {
  /** Of the connection that brings the answer, and the token by which it is known. */
  readonly id: string;
  readonly token: string;
  readonly what: FilesQuestion;
  /** From the root of the file system, without a slash at either end. Names are bytes, written as Latin-1. */
  readonly path: string;
}

/** One thing in a directory. */
export interface FilesRow {
  /** Bytes, as Latin-1. */
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly modifiedAt: number;
}

/** What a worker says of a backup that it has been asked for: how far it is unpacked, 0 to 1, or that it can be read. */
export type OpenedWord = { readonly unpacked: number } | { readonly ready: true };

/**
 * What a worker says in an answer, before the content, which is binary: some of a directory's rows; or the size of a file, in bytes; or that a tar follows.
 */
export type AnswerWord = { readonly rows: readonly FilesRow[] } | { readonly file: number } | { readonly tar: true };

/** Longest path in bytes: what Linux takes. */
const LONGEST_PATH = 4_096;

/** Whether a path, as Latin-1, leads from the root to something below it, and nowhere else. The root is empty. */
export function isPathFromRoot(path: string): boolean {
  if (path === '') return true;
  return path.length <= LONGEST_PATH && !path.includes('\0') && path.split('/').every((part) => !['', '.', '..'].includes(part));
}

/** Why a connection ends: the reason of the WebSocket's close. The first three are of an answer. */
export const FILES_ENDS = [
  /** All was said. */
  'done',
  /** There is nothing at that path, or something else than was asked for. */
  'none',
  /** What is there cannot be read, or is too much. */
  'unreadable',
  /** Nothing was asked for too long. */
  'idle',
  /** It was open for as long as one may be. */
  'limit',
  /** Another backup of the guest was opened. */
  'replaced',
  /** Who had opened it has signed out. */
  'signed-out',
  /** The connection is none that the gateway waits for. */
  'ticket',
  /** As many are open as may be, or the guest is not in a state for it. */
  'busy',
  /** The dom0's settings name no gateway. */
  'setting',
  /** There is no room on the dom0 to unpack it. */
  'room',
  /** The backup cannot be read, or its engine keeps no files that can be. */
  'unusable',
  /** The backup is there no more. */
  'gone',
  /** The dom0 could not be reached, or does not answer. */
  'unavailable',
  /** What was sent is not of this protocol. */
  'protocol',
  /** The gateway or the dom0's worker stops. */
  'stopped',
] as const;

export type FilesEnd = (typeof FILES_ENDS)[number];

/** Narrows a reason that came over the wire. */
export function filesEnd(reason: string): FilesEnd {
  return FILES_ENDS.find((known) => known === reason) ?? 'unavailable';
}

/** Most rows of one directory that are shown. */
export const MOST_ROWS = 5_000;

/** Most answers of one backup at a time. */
export const MOST_ANSWERS = 4;
