/** The driver `xl`: Xen's own toolstack, its files in /etc/xen, and Debian's xendomains. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { DomainEnd } from '../../../../contract/guest.ts';
import type { DomainRow, PreflightRow } from '../../../../contract/dom0.ts';
import type { Traffic } from '../../../../contract/usage.ts';
import { ToolError, type Limits } from '../../../../system/run.ts';
import type { Thing } from '../../inventory/thing.ts';
import { domainNameOf, isOwner, mustOwn, type DomainRef, type Ref } from '../../marks.ts';
import { removeParts } from '../../staging.ts';
import { wipePace, type Work } from '../../work.ts';
import type { CfgFile, CfgReading, CommandLine, MachineFacts, Toolstack } from '../port.ts';
import { allCfgs, AUTOSTART_DIRECTORY, autostartPath, cfgPath, hasOwnLink, readCfg } from './cfg-files.ts';
import { consoleLog, xlPreflight } from './preflight.ts';
import { xenconsoleCommand } from './xenconsole.ts';
import { putSavedAside, wipeAsides, wipeSaved } from './saved-states.ts';
import { xlThings } from './things.ts';
import { vifCounters } from './vifs.ts';
import { domainEnd } from './xl-log.ts';
import * as xl from './xl.ts';
import { createDomain } from './xl-create.ts';

export class XlToolstack implements Toolstack {
  private readonly work: Work;

  constructor(work: Work) {
    this.work = work;
  }

  async facts(): Promise<MachineFacts> {
    return await xl.hostInfo(this.work.host);
  }

  async preflight(): Promise<PreflightRow[]> {
    return await xlPreflight(this.work.host);
  }

  async domains(): Promise<DomainRow[]> {
    return await xl.listDomains(this.work.host);
  }

  async find(name: string): Promise<DomainRow | undefined> {
    return await xl.findDomain(this.work.host, name);
  }

  async findOwn(ref: DomainRef): Promise<DomainRow | undefined> {
    const name = domainNameOf(ref);
    const domain = await this.find(name);
    if (domain !== undefined) mustOwn((await this.readCfg(name))?.owner, ref, `domain ${name}`);
    return domain;
  }

  async mustBeOff(name: string): Promise<void> {
    if ((await this.find(name)) !== undefined)
      throw new GuestflowError('ToolFailed', `domain ${name} is still in xl list: its disks and its cfg stay until it has gone`);
  }

  async create(name: string, { cfg = cfgPath(name), ...limits }: Limits & { readonly cfg?: string } = {}): Promise<void> {
    await createDomain(this.work.host, cfg, { signal: this.work.signal, ...limits });
  }

  async askToShutDown(id: number): Promise<boolean> {
    try {
      await xl.shutdownDomain(this.work.host, id);
      return true;
    } catch (error) {
      if (!(error instanceof ToolError) || error.cancelled) throw error;
      return false;
    }
  }

  async destroy(id: number): Promise<void> {
    await xl.destroyDomain(this.work.host, id);
  }

  async pause(id: number): Promise<void> {
    await xl.pauseDomain(this.work.host, id);
  }

  async unpause(id: number): Promise<void> {
    await xl.unpauseDomain(this.work.host, id);
  }

  async awaitGone(name: string, limitMs: number, id?: number): Promise<boolean> {
    return await xl.awaitGone(this.work.host, name, limitMs, this.work.signal, id);
  }

  async setMemory(id: number, mib: number): Promise<boolean> {
    return await xl.setMemory(this.work.host, id, mib);
  }

  async setVcpus(id: number, count: number): Promise<void> {
    await xl.setVcpus(this.work.host, id, count);
  }

  async vcpus(id: number): Promise<{ readonly room: number; readonly online: number }> {
    const rows = await xl.listVcpus(this.work.host, id);
    return { room: rows.length, online: rows.filter((row) => row.online).length };
  }

  async traffic(id: number): Promise<Record<string, Traffic>> {
    return await vifCounters(this.work.host, id);
  }

  async console(name: string, lines?: number): Promise<string> {
    return await xl.consoleTail(this.work.host, name, lines);
  }

  async consoleCommand(id: number): Promise<CommandLine> {
    return await xenconsoleCommand(this.work.host, id);
  }

  async consoleLog(): Promise<PreflightRow> {
    return await consoleLog(this.work.host);
  }

  async forgetConsole(name: string): Promise<void> {
    await this.work.host.files.remove(xl.consolePath(name));
  }

  async howEnded(name: string): Promise<DomainEnd | undefined> {
    return await domainEnd(this.work.host, name);
  }

  cfgPath(name: string): string {
    return cfgPath(name);
  }

  async readCfg(name: string): Promise<CfgFile | undefined> {
    return await readCfg(this.work.host, cfgPath(name));
  }

  async cfgs(): Promise<CfgFile[]> {
    return await allCfgs(this.work.host);
  }

  async tryCfg(path: string): Promise<CfgReading> {
    return await xl.dryRun(this.work.host, path);
  }

  async saidOfCfg(path: string): Promise<readonly string[]> {
    return await xl.saidOf(this.work.host, path);
  }

  async placeCfg(name: string, bytes: Uint8Array): Promise<void> {
    await this.work.host.files.writeAtomic(cfgPath(name), bytes, 0o600);
  }

  async clearHalfCfg(name: string): Promise<void> {
    await removeParts(this.work.host.files, cfgPath(name));
  }

  async removeCfg(name: string): Promise<void> {
    const { files } = this.work.host;
    if (await hasOwnLink(this.work.host, name)) await files.remove(autostartPath(name));
    await files.remove(cfgPath(name));
  }

  async enableAutostart(name: string): Promise<string> {
    const { host } = this.work;
    const link = autostartPath(name);
    if (await hasOwnLink(host, name)) return link;
    if (await this.hasAutostart(name)) {
      throw new GuestflowError(
        'NotOurs',
        `${link} exists and is not the link to ${cfgPath(name)} that guestflow makes. It is left alone; move it away.`,
        { field: 'name', value: name },
      );
    }
    await host.files.makeDirectory(AUTOSTART_DIRECTORY);
    await host.files.symlink(cfgPath(name), link);
    return link;
  }

  /**
   * The link is known as ours by the cfg that it points to: somebody's own cfg of this name may have one just like it, and it stays. So does a link to
   * a cfg that is missing: nothing says whose it was. It is no half of a removal of ours either: the link goes before the cfg, and each removal is on
   * the disk before the next begins.
   */
  async disableAutostart(ref: Ref): Promise<void> {
    const { host } = this.work;
    if (!(await hasOwnLink(host, ref.name))) return;
    if (isOwner((await this.readCfg(ref.name))?.owner, ref)) await host.files.remove(autostartPath(ref.name));
  }

  async hasAutostart(name: string): Promise<boolean> {
    return (await this.work.host.files.info(autostartPath(name))) !== undefined;
  }

  async putSavedAside(ref: DomainRef): Promise<string[]> {
    return await putSavedAside(this.work.host, ref);
  }

  async wipeAside(ref: DomainRef, signal: AbortSignal): Promise<void> {
    await wipeAsides(this.work.host, ref, { signal });
  }

  async wipeSaved(ref: DomainRef): Promise<void> {
    await wipeSaved(this.work.host, ref, { signal: this.work.signal, ...wipePace(this.work.settings) });
  }

  async things(guest?: string): Promise<Thing[]> {
    return await xlThings(this.work.host, guest);
  }
}
