/** PV and PVH guests: a Linux that xen-tools installs, started with dom0's kernel, reached by ssh. */
import { GuestflowError } from '../../../contract/errors.ts';
import { defined } from '../../../contract/defined.ts';
import type { AccessPart } from '../../../contract/access-parts.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { ImageResult } from '../../../contract/step-results.ts';
import type { RunResult } from '../../../system/run.ts';
import { applyChange, parseCfg, showCfg } from '../../../xlcfg/index.ts';
import { guestPaths } from '../guest-paths.ts';
import { makeImage } from '../images/make-image.ts';
import { makePersonal, type Origin } from '../images/make-personal.ts';
import { cfgHeader, type Ref } from '../marks.ts';
import type { Storage } from '../storage/port.ts';
import { guestRun, hostKeyAnswers } from '../tools/guest-ssh.ts';
import type { Work } from '../work.ts';
import { forgetFormer } from './access/former.ts';
import { changeOffline, undoOffline } from './access/offline.ts';
import { BARE_CFG, changeFor, diskMisread, misread, TRIAL_CFG, trialChange, type Attachments } from './paravirtual-cfg.ts';
import { freeVdev, oneDiskMore, rescueWish } from './rescue-cfg.ts';
import { readConsole } from './console.ts';
import type { Answer, CfgDraft, CfgWish, ConsoleSight, GuestKind, GuestScript, RescueCfg } from './port.ts';
import { recognise } from './recognise.ts';
import { HELLO_SCRIPT } from './scripts.ts';

const HELLO_LIMIT_MS = 30_000;

export class ParavirtualGuest implements GuestKind {
  private readonly work: Work & { readonly storage: Storage };

  constructor(work: Work & { readonly storage: Storage }) {
    this.work = work;
  }

  async makeImage(spec: GuestSpec): Promise<ImageResult> {
    return await makeImage(this.work, spec);
  }

  async makePersonal(spec: GuestSpec, device: string, origin: Origin): Promise<void> {
    await makePersonal(this.work, spec, device, origin);
  }

  async changeAccess(spec: GuestSpec, device: string, part: AccessPart, change: string): Promise<void> {
    await changeOffline(this.work, spec, device, part, change);
  }

  async undoAccess(ref: Ref, device: string, change: string): Promise<void> {
    await undoOffline(this.work, ref, device, change);
  }

  async recognise(spec: GuestSpec, device: string, isJustMade?: true): Promise<void> {
    await recognise(this.work, spec, device, isJustMade);
  }

  async forgetAccess(ref: Ref): Promise<void> {
    await forgetFormer(this.work, ref);
  }

  bareCfg(): Buffer {
    return Buffer.from(BARE_CFG);
  }

  draftCfg(base: Buffer, wish: CfgWish): CfgDraft {
    const document = parseCfg(base);
    const [vif] = showCfg(document).vifs;
    const { bytes, changed } = applyChange(document, changeFor(wish, this.attachments(wish), this.work.settings, vif));
    return { bytes: Buffer.from(bytes), changed };
  }

  trialCfg(spec: GuestSpec): Buffer {
    const { storage, settings } = this.work;
    const disks = { root: storage.attachment(spec.name, 'trial'), swap: storage.attachment(spec.name, 'trialswap') };
    const { bytes } = applyChange(parseCfg(Buffer.from(TRIAL_CFG)), trialChange(spec, disks, settings));
    return Buffer.concat([Buffer.from(`${cfgHeader({ guest: spec.name, order: spec.order })}\n`), bytes]);
  }

  rescueCfg(base: Buffer, spec: GuestSpec): RescueCfg {
    const document = parseCfg(base);
    const root = freeVdev(showCfg(document));
    const own = this.work.storage.attachment(spec.name, 'root');
    const { bytes: withDisk } = applyChange(document, oneDiskMore(showCfg(document), root));
    const { bytes: ours } = this.draftCfg(Buffer.from(withDisk), rescueWish(spec));
    const { bytes } = applyChange(parseCfg(ours), { disk: [{ vdev: root, to: own }] });
    const misread = (config: unknown): string[] => [...this.misread(config, rescueWish(spec)), ...diskMisread(config, root, own)];
    return { bytes: Buffer.from(bytes), root, misread };
  }

  readConsole(text: string): ConsoleSight {
    return readConsole(text);
  }

  misread(config: unknown, wish: CfgWish): string[] {
    return misread(config, wish, this.attachments(wish), this.work.settings);
  }

  private attachments({ spec: { name }, disks }: CfgWish): Attachments {
    const { storage } = this.work;
    if (disks !== 'image')
      return { root: storage.attachment(name, disks === 'rescue' ? 'rescue' : 'root'), swap: storage.attachment(name, 'swap') };
    const { diskImage, swapImage } = guestPaths(this.work.settings, name);
    return { root: `file:${diskImage}`, swap: `file:${swapImage}` };
  }

  async isSealed({ name }: Ref): Promise<boolean> {
    return (await this.work.host.files.info(guestPaths(this.work.settings, name).provisionKey)) === undefined;
  }

  async greet(ref: Ref, ip: string): Promise<Answer> {
    try {
      const { stdout } = await this.runAt(ref, ip, { script: HELLO_SCRIPT, timeoutMs: HELLO_LIMIT_MS });
      const [kernel = '', rootDevice = ''] = stdout.trim().split('\n');
      return { kernel, rootDevice };
    } catch (error) {
      if (error instanceof GuestflowError && error.type === 'GuestDidNotAnswer') return undefined;
      throw error;
    }
  }

  async identify({ name }: Ref, ip: string): Promise<Answer> {
    return await this.answerOf(guestPaths(this.work.settings, name).knownHosts, ip);
  }

  async identifyRescue({ name }: Ref, ip: string): Promise<Answer> {
    return await this.answerOf(guestPaths(this.work.settings, name).rescueHosts, ip);
  }

  private async answerOf(knownHosts: string, ip: string): Promise<Answer> {
    const { host } = this.work;
    const known = (await host.files.read(knownHosts))?.toString('utf8').trim() ?? '';
    return (await hostKeyAnswers(host, ip, known.split(' ').slice(1, 3).join(' '))) ? { kernel: '', rootDevice: '' } : undefined;
  }

  async run(spec: GuestSpec, script: GuestScript): Promise<RunResult> {
    return await this.runAt(spec, spec.network.ip, script);
  }

  private async runAt({ name }: Ref, ip: string, { script, input, timeoutMs, okCodes }: GuestScript): Promise<RunResult> {
    const { host, settings, signal } = this.work;
    const { provisionKey, knownHosts } = guestPaths(settings, name);
    return await guestRun(host, {
      ip,
      keyPath: provisionKey,
      knownHosts,
      command: script,
      timeoutMs,
      signal,
      ...defined({ input, okCodes }),
    });
  }

  /** Removes the private key last: as long as it exists, the guest counts as not sealed. */
  async dropKey({ name }: Ref): Promise<void> {
    const { files } = this.work.host;
    const { provisionKey } = guestPaths(this.work.settings, name);
    await files.remove(`${provisionKey}.pub`);
    await files.remove(provisionKey);
  }
}
