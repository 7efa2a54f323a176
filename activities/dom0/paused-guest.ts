/** A guest that stands still while its disk is copied: its domain is paused. */
import { GuestflowError } from '../../contract/errors.ts';
import type { Ref } from './marks.ts';
import type { DiskUser } from './storage/file/place.ts';
import type { Toolstack } from './toolstack/port.ts';

/**
 * Domains as users of disks, each by its id: after a reboot of dom0 a domain of the same name is another one, and somebody else may have paused it.
 */
export class PausedGuest implements DiskUser {
  private readonly toolstack: Toolstack;

  constructor(toolstack: Toolstack) {
    this.toolstack = toolstack;
  }

  async find(ref: Ref): Promise<{ readonly who: string; readonly isStill: boolean } | undefined> {
    const domain = await this.toolstack.findOwn(ref);
    if (domain === undefined) return undefined;
    if (domain.state !== 'ending') return { who: String(domain.id), isStill: domain.state !== 'running' };
    throw new GuestflowError('ToolFailed', `domain ${ref.name} is ending: its disk is copied when it has gone`);
  }

  // xl exits with 0 whatever has come of pausing, and of the undo of it: so both look.
  async stop({ name }: Ref, who: string): Promise<void> {
    await this.toolstack.pause(Number(who));
    const domain = await this.toolstack.find(name);
    if (domain?.state === 'paused' && String(domain.id) === who) return;
    throw new GuestflowError('ToolFailed', `domain ${name} is ${domain?.state ?? 'gone'} after xl pause ${who}`);
  }

  async goOn(ref: Ref, who: string): Promise<void> {
    const domain = await this.toolstack.findOwn(ref);
    if (domain?.state !== 'paused' || String(domain.id) !== who) return;
    await this.toolstack.unpause(domain.id);
    const after = await this.toolstack.find(ref.name);
    if (after?.state === 'paused' && String(after.id) === who)
      throw new GuestflowError('ToolFailed', `domain ${ref.name} is paused after xl unpause ${who}`);
  }
}
