/**
 * The guard's own script, run by a real shell in a network namespace with real interfaces and a real bridge: what ifup and ifdown do is
 * played by two commands of the test's.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRunner } from '../../../system/run.ts';
import type { BridgePlan } from '../../../prepare/bridge/find.ts';
import { GUARD_FOLDER, guardScript, REACHED_FILE, RESTORE_UNIT_FILE } from '../../../prepare/bridge/guard.ts';

const runner = createRunner();
const WISH = { name: 'xenbr0', port: 'eth0' };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guestflow-guard-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const OLD = 'iface eth0 inet static\n';
const NEW = 'iface xenbr0 inet static\n';

/** Runs the guard; `meanwhile` is shell that runs beside it, `fails` makes the bridge not come up. */
async function run(meanwhile: string, { up = 'true', verb = 'apply' } = {}) {
  const dir = join(folder, 'guard');
  const file = join(folder, 'interfaces');
  for (const [which, text] of [
    ['old', OLD],
    ['new', NEW],
  ] as const) {
    mkdirSync(join(dir, which), { recursive: true });
    writeFileSync(join(dir, which, '0'), text);
  }
  if (!existsSync(file)) writeFileSync(file, OLD);
  const plan: BridgePlan = {
    by: 'ifupdown',
    changes: [
      { path: file, before: OLD, after: NEW },
      { path: join(folder, 'made'), before: undefined, after: NEW },
    ],
    down: ['ip address flush dev eth0'],
    up: ['ip link add xenbr0 type bridge', 'ip link set eth0 master xenbr0', 'ip address add 192.0.2.5/24 dev xenbr0', up],
    downAgain: ['ip link delete dev xenbr0 type bridge'],
    upAgain: ['ip address add 192.0.2.5/24 dev eth0'],
  };
  writeFileSync(join(dir, 'new', '1'), NEW);
  // The same script, with its folders in the test's and a minute of two seconds.
  const script = guardScript(plan, WISH)
    .replaceAll(GUARD_FOLDER, dir)
    .replaceAll(REACHED_FILE, join(folder, 'reached'))
    .replaceAll('/etc/systemd/system/sysinit.target.wants', join(folder, 'wants'))
    .replaceAll(RESTORE_UNIT_FILE, join(folder, 'restore.service'))
    .replace('left=60', 'left=4')
    .replaceAll(/\bleft=10\b/g, 'left=2');
  writeFileSync(join(dir, 'guard.sh'), script);
  const inside = `mount -t sysfs none /sys
ip link add eth0 type veth peer name peer0 && ip link set eth0 up && ip link set peer0 up && ip address add 192.0.2.5/24 dev eth0
cd ${folder}; (${meanwhile}) & sh -c 'echo $$ > ${dir}/guard.pid; exec sh ${dir}/guard.sh ${verb}'; wait
ip -brief address show eth0; ip -brief address show xenbr0 2>/dev/null || echo no bridge`;
  const { stdout } = await runner.run('unshare', ['--net', '--mount', 'sh', '-c', inside], { timeoutMs: 60_000 });
  return {
    stdout,
    outcome: existsSync(join(dir, 'outcome')) ? readFileSync(join(dir, 'outcome'), 'utf8').trim() : undefined,
    text: readFileSync(file, 'utf8'),
    isMade: existsSync(join(folder, 'made')),
    isPending: existsSync(join(dir, 'pending')) || existsSync(join(folder, 'wants/guestflow-bridge-restore.service')),
  };
}

describe.runIf(isRoot)('the guard of a bridge', () => {
  it('keeps the bridge when somebody reaches the host, and the address is on it', async () => {
    const { stdout, outcome, text, isMade, isPending } = await run('until [ -e guard/up ]; do sleep 0.1; done; : > reached');
    expect({ outcome, text, isMade, isPending }).toEqual({ outcome: 'kept', text: NEW, isMade: true, isPending: false });
    expect(stdout).toMatch(/xenbr0 +\S+ +192\.0\.2\.5\/24/);
    expect(stdout).not.toMatch(/eth0@peer0.*192\.0\.2\.5/);
  });

  it('puts files, address and interface back when nobody does', async () => {
    const { stdout, outcome, text, isMade, isPending } = await run('true');
    expect({ outcome, text, isMade, isPending }).toEqual({
      outcome: 'rolled back: nobody reached the host',
      text: OLD,
      isMade: false,
      isPending: false,
    });
    expect(stdout).toMatch(/eth0@peer0 +\S+ +192\.0\.2\.5\/24/);
    expect(stdout).toContain('no bridge');
  });

  it('puts everything back at once when a command fails, or the run is cancelled', async () => {
    expect(await run('true', { up: 'false' })).toMatchObject({
      outcome: 'rolled back: it could not be brought up',
      text: OLD,
      isMade: false,
    });
    rmSync(join(folder, 'guard/outcome'));
    expect(await run('until [ -e guard/up ]; do sleep 0.1; done; : > guard/cancel')).toMatchObject({
      outcome: 'rolled back: cancelled',
      text: OLD,
    });
  });

  it('a sign of an earlier attempt does not count', async () => {
    writeFileSync(join(folder, 'reached'), '');
    expect(await run('true')).toMatchObject({ outcome: 'rolled back: nobody reached the host' });
  });

  it('puts the files back at the next boot when the power went while it waited', async () => {
    const killed = 'until [ -e guard/up ]; do sleep 0.1; done; kill -9 $(cat guard/guard.pid)';
    const before = await run(killed);
    expect(before).toMatchObject({ outcome: undefined, text: NEW, isPending: true });
    expect(await run('true', { verb: 'restore' })).toMatchObject({ text: OLD, isMade: false, isPending: false });
  });
});
