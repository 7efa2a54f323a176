/** The proof of a backup on the fake dom0: a trial beside the guest, and what is left of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { leftoversOf, dom0Facts } from '../../../../../activities/dom0/steps/look.ts';
import { removeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { bootGuest, destroyGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { bootTrial, endTrial, makeTrial, recordProof, whyNotIdle } from '../../../../../activities/dom0/steps/prove.ts';
import { readBackupOf } from '../../../../../activities/dom0/backup/repositories/reading.ts';
import type { Proof } from '../../../../../contract/backup.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, dom0With, settings, spec } from './support.ts';

const guest = spec();
const TRIAL = 'guest1+trial';
const MiB = 2 ** 20;
let dom0: FakeDom0;
let env: StepEnv;
beforeEach(async () => {
  ({ dom0, env } = await dom0With(guest));
});
afterEach(() => closeKnowing(dom0));

const volumes = (): string[] => {
  const { volumes: all } = dom0.snapshot();
  return all.map(({ name }) => name).sort();
};
const OWN = ['guest1-root', 'guest1-swap'];
const cfgText = async (): Promise<string> => String((await env.toolstack.readCfg(TRIAL))?.bytes);

describe('a trial', () => {
  it('is a small domain without a network beside its guest, made of the backup, and shows its login', async () => {
    await bootGuest(env, guest);
    const { id } = await takeBackup(env, guest);
    expect(await makeTrial(env, { spec: guest, id })).toEqual({ bytes: guest.size.diskBytes });
    expect(volumes()).toEqual(['guest1-root', 'guest1-swap', 'guest1-trial', 'guest1-trialswap']);
    expect((await bootTrial(env, guest)).what).toBe('guest1 login:');
    const [own, trial] = [await env.toolstack.find('guest1'), await env.toolstack.find(TRIAL)];
    expect([own?.state, trial?.state, trial?.vcpus, trial?.memoryMiB]).toEqual(['running', 'running', 1, 512]);
    const cfg = await cfgText();
    expect(cfg.split('\n')[0]).toMatch(/^# guestflow: guest=guest1 order=order-guest1 /);
    expect(cfg).toMatch(/vif\s*=\s*\[\s*\]/);
    expect(cfg).not.toContain(guest.network.mac);
    await endTrial(env, guest);
    expect(volumes()).toEqual(OWN);
    expect(await env.toolstack.find(TRIAL)).toBeUndefined();
    expect(await env.toolstack.find('guest1')).toMatchObject({ id: own?.id, state: 'running' });
    expect(await env.toolstack.readCfg(TRIAL)).toBeUndefined();
  });

  it('takes no more than a GiB of memory, whatever its guest has', async () => {
    const large = spec('guest1', '10.0.0.5', { size: { memoryBytes: 4096 * MiB } });
    const { id } = await takeBackup(env, guest);
    await makeTrial(env, { spec: large, id });
    await bootTrial(env, large);
    expect((await env.toolstack.find(TRIAL))?.memoryMiB).toBe(1024);
  });

  it('is its guest’s on the dom0: the ledger counts it, a list of what is left has it, and removing the guest removes it', async () => {
    const { id } = await takeBackup(env, guest);
    const held = async () => (await dom0Facts(env, '1')).holdings ?? [];
    const [before] = await held();
    await makeTrial(env, { spec: guest, id });
    await bootTrial(env, guest);
    const [now, ...more] = await held();
    expect([now?.guest, more]).toEqual(['guest1', []]);
    expect((now?.memoryBytes ?? 0) - (before?.memoryBytes ?? 0)).toBe(512 * MiB);
    expect((now?.diskBytes ?? 0) - (before?.diskBytes ?? 0)).toBe(guest.size.diskBytes + 64 * MiB);
    const left = await leftoversOf(env, guest);
    expect(left).toEqual(
      expect.arrayContaining([`domain ${TRIAL}`, `/etc/xen/${TRIAL}.cfg`, `volume ${settings().volumeGroup}/guest1-trial`]),
    );
    await destroyGuest(env, guest);
    await removeVolumes(env, guest);
    expect(volumes()).toEqual([]);
    expect(await leftoversOf(env, guest)).not.toEqual(expect.arrayContaining([expect.stringContaining('trial')]));
  });

  it('that a killed attempt left is ended before another one begins', async () => {
    const { id } = await takeBackup(env, guest);
    await makeTrial(env, { spec: guest, id });
    await bootTrial(env, guest);
    await makeTrial(env, { spec: guest, id });
    expect(await env.toolstack.find(TRIAL)).toBeUndefined();
    expect((await bootTrial(env, guest)).what).toBe('guest1 login:');
  });

  it('is not taken for up by the console of one before it', async () => {
    const { id } = await takeBackup(env, guest);
    await makeTrial(env, { spec: guest, id });
    dom0.machine.writeText(`/var/log/xen/console/guest-${TRIAL}.log`, 'guest1 login: ');
    dom0.machine.volume('guest1-trial')!.content.fs!.damaged = true;
    await expect(bootTrial(env, guest)).rejects.toMatchObject({
      type: 'GuestDidNotAnswer',
      message: expect.stringMatching(/Kernel panic/) as string,
    });
  });

  it('is never ended by the name alone: a domain whose cfg is another’s stays', async () => {
    dom0.machine.writeText(`/etc/xen/${TRIAL}.cfg`, "name = 'guest1+trial'\n");
    await endTrial(env, guest);
    expect(await cfgText()).toContain('guest1+trial');
  });

  it('is not begun where the consoles of domains are not kept', async () => {
    const { id } = await takeBackup(env, guest);
    dom0.machine.writeText('/etc/default/xen', '');
    await expect(makeTrial(env, { spec: guest, id })).rejects.toMatchObject({ type: 'HostNotReady', details: { field: 'console log' } });
  });

  it('is not made of a backup of which a byte was changed', async () => {
    const { id, key } = await takeBackup(env, guest);
    const path = env.repository.container({ key }).title;
    const bytes = Buffer.from((await env.host.files.read(path))!);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await env.host.files.writeAtomic(path, bytes);
    await expect(makeTrial(env, { spec: guest, id })).rejects.toMatchObject({ type: 'BackupUnusable' });
    await endTrial(env, guest);
    expect(volumes()).toEqual(OWN);
  });
});

describe('what came of a proof', () => {
  const proof = (outcome: Proof['outcome']): Proof => ({ at: '2026-01-10T00:00:00.000Z', seconds: 9, outcome, what: 'seen' });

  it.each([
    ['proven', 'proven'],
    ['unusable', 'unusable'],
    ['silent', 'verified'],
  ] as const)(
    'as %s is kept beside the backup, which is %s then, also without Temporal; its record stays as it was',
    async (outcome, state) => {
      const { id, key } = await takeBackup(env, guest);
      const path = env.repository.container({ key }).title.replace('.img.zst', '.json');
      const record = await env.host.files.read(path);
      expect(await recordProof(env, { ref: guest, id, proof: proof(outcome) })).toMatchObject({ id, state, proof: proof(outcome) });
      expect((await env.repository.list('guest1')).backups).toMatchObject([{ id, state, proof: proof(outcome) }]);
      expect(await env.host.files.read(path)).toEqual(record);
      expect(await readBackupOf(dom0.machine.at(settings().backupDir), 'guest1', id)).toMatchObject({ state, proof: proof(outcome) });
    },
  );

  it('is of that file only: beside another backup, or changed, it counts as none', async () => {
    const { id, key } = await takeBackup(env, guest);
    await recordProof(env, { ref: guest, id, proof: proof('proven') });
    const path = env.repository.container({ key }).title.replace('.img.zst', '.proof.json');
    const text = String(await env.host.files.read(path));
    for (const other of [text.replace('"seen"', '"seem"'), text.replace(/"sha256": "./, '"sha256": "x'), '{}', '']) {
      await env.host.files.writeAtomic(path, other);
      expect((await env.repository.list('guest1')).backups).toMatchObject([{ id, state: 'verified' }]);
    }
  });

  it('goes with its backup', async () => {
    const { id } = await takeBackup(env, guest);
    await recordProof(env, { ref: guest, id, proof: proof('proven') });
    await env.repository.remove(guest, [id]);
    expect(await env.host.files.list(`${settings().backupDir}/guest1`)).toEqual(['guestflow.json']);
  });

  it('of a backup that has gone meanwhile is refused', async () => {
    await expect(recordProof(env, { ref: guest, id: '20260101T000000Z', proof: proof('proven') })).rejects.toMatchObject({
      type: 'NotFound',
    });
  });
});

describe('a dom0', () => {
  it('has something else to do than proofs when its load is near what its vcpus can do', async () => {
    expect(await whyNotIdle(env)).toBeUndefined();
    dom0.machine.writeText('/proc/loadavg', `${String(dom0.machine.options.cpus)}.00 1 1 1/1 1\n`);
    expect(await whyNotIdle(env)).toMatch(/^the load of dom0 is \d+ on \d+ vcpus$/);
  });
});
