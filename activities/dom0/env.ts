/** What a step may use: the ports, and the work that it is part of. */
import type { GuestType } from '../../contract/guest.ts';
import type { BackupSource, Engines, Repository } from './backup/port.ts';
import type { GuestKind } from './guests/port.ts';
import type { Storage } from './storage/port.ts';
import type { Toolstack } from './toolstack/port.ts';
import type { Work } from './work.ts';

export interface StepEnv extends Work {
  readonly storage: Storage;
  readonly toolstack: Toolstack;
  readonly engines: Engines;
  readonly repository: Repository;
  /** Where backups lie that other dom0s have taken. */
  readonly foreign: readonly BackupSource[];
  kindOf(spec: { readonly os: { readonly type: GuestType } }): GuestKind;
}
