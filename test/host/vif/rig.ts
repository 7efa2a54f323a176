/**
 * A dom0 in a name space of its own, with a bridge and two vifs (veth pairs) to guests in theirs. Xen's own vif-bridge does its work; xenstore is a
 * directory that stand-ins of its tools read and write.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { whyNoXen, xenCommonRoot } from '../../fixtures/xen/debian.ts';
import { host, whyNotHere } from '../machine.ts';
import { udp4 } from './frames.ts';

/** Two guests of the same network. */
export const A: Guest = { domid: 5, mac: '00:16:3e:00:00:0a', ip: '192.0.2.10' };
export const B: Guest = { domid: 6, mac: '00:16:3e:00:00:0b', ip: '192.0.2.11' };
export const GATEWAY = '192.0.2.1';

/** Why no rig can be made here; undefined if one can. */
export function whyNoRig(): string | undefined {
  return whyNotHere('ip', 'sysctl', 'nft', 'python3') ?? whyNoXen(xenCommonRoot);
}

/** A rig with both guests for the tests of a file. No two files have the same name. */
export function rigOfFile(name: string): Rig {
  const rig = new Rig(name);
  beforeAll(() => rig.make([A, B]));
  afterAll(async () => {
    await rig.remove([A, B]);
    rig.clear();
  });
  return rig;
}

const SCRIPT = fileURLToPath(new URL('../../../deploy/dom0/vif-guestflow', import.meta.url));
export const BRIDGE = 'xenbr0';

/** A guest: its domain, and what its cfg says of its vif. */
export interface Guest {
  readonly domid: number;
  readonly mac: string;
  readonly ip: string;
}

export const vifOf = ({ domid }: Guest): string => `vif${String(domid)}.0`;
const backendOf = ({ domid }: Guest): string => `backend/vif/${String(domid)}/0`;

const ip = (...args: string[]): Promise<unknown> => host.run('ip', args);

const STAND_INS = {
  'xenstore-read': 'exec cat -- "$STORE/$1" 2>/dev/null',
  'xenstore-list': 'exec ls -- "$STORE/$1" 2>/dev/null',
  'xenstore-write': 'while [ $# -ge 2 ]; do mkdir -p "$(dirname "$STORE/$1")"; printf %s "$2" > "$STORE/$1"; shift 2; done',
};

/**
 * Sends frames from one name space, then a last one that must arrive, and prints what arrived in the other until then, in hexadecimal. The sockets
 * belong to the name spaces in which they were opened.
 */
const EXCHANGE = `
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def enter(space):
    fd = os.open('/run/netns/' + space, os.O_RDONLY)
    if libc.setns(fd, 0x40000000) != 0: raise OSError(ctypes.get_errno(), 'setns')
def on(space):
    enter(space)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind(('eth0', 3))
    s.settimeout(20)
    return s
receiver, sender = on(sys.argv[1]), on(sys.argv[2])
frames = [bytes.fromhex(text) for text in sys.argv[3:]]
for frame in frames: sender.send(frame)
while True:
    frame, (_, _, kind, *_) = receiver.recvfrom(65535)
    if kind == 4: continue
    print(frame.hex())
    if frame == frames[-1]: break
`;

export class Rig {
  #directory = '';
  readonly #dom0: string;
  readonly #name: string;
  #marks = 0;

  /** @param name of its name spaces: no two rigs that are there at once have the same */
  constructor(name: string) {
    this.#name = name;
    this.#dom0 = `${name}-dom0`;
  }

  #spaceOf({ domid }: Guest): string {
    return `${this.#name}-${String(domid)}`;
  }

  /** Runs a command in the name space of dom0. */
  inDom0(...command: string[]): Promise<{ readonly stdout: string }> {
    return host.run('ip', ['netns', 'exec', this.#dom0, ...command]);
  }

  /** All rules of nftables. */
  async ruleset(): Promise<string> {
    return (await this.inDom0('nft', '--stateless', 'list', 'ruleset')).stdout;
  }

  get #scripts(): string {
    return join(this.#directory, 'scripts');
  }
  get #tools(): string {
    return join(this.#directory, 'tools');
  }
  get #store(): string {
    return join(this.#directory, 'store');
  }

  async make(guests: readonly Guest[]): Promise<void> {
    this.#directory = mkdtempSync(join(tmpdir(), 'guestflow-vif-'));
    await this.remove(guests);
    mkdirSync(this.#tools, { recursive: true });
    // vif-bridge asks by either path.
    mkdirSync(join(this.#store, 'local/domain/0'), { recursive: true });
    symlinkSync(join(this.#store, 'backend'), join(this.#store, 'local/domain/0/backend'));
    for (const [name, body] of Object.entries(STAND_INS)) this.program(name, body);
    this.#copyScripts();
    await ip('netns', 'add', this.#dom0);
    await ip('-n', this.#dom0, 'link', 'add', BRIDGE, 'type', 'bridge', 'mcast_snooping', '0');
    for (const guest of guests) await this.#addGuest(guest);
    await this.inDom0('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
    await ip('-n', this.#dom0, 'link', 'set', BRIDGE, 'up');
  }

  /** Xen's scripts as they are, but for where they log and look for tools. */
  #copyScripts(): void {
    cpSync(join(xenCommonRoot(), 'etc/xen/scripts'), this.#scripts, { recursive: true });
    const common = join(this.#scripts, 'xen-hotplug-common.sh');
    writeFileSync(common, readFileSync(common, 'utf8').replace('/var/log/xen/xen-hotplug.log', join(this.#directory, 'log')));
    writeFileSync(
      join(this.#scripts, 'hotplugpath.sh'),
      ['bindir', 'sbindir', 'LIBEXEC_BIN'].map((name) => `${name}=${this.#tools}\n`).join(''),
    );
    cpSync(SCRIPT, join(this.#scripts, 'vif-guestflow'));
  }

  async #addGuest(guest: Guest): Promise<void> {
    const space = this.#spaceOf(guest);
    await ip('netns', 'add', space);
    await ip('netns', 'exec', space, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1');
    await ip('-n', this.#dom0, 'link', 'add', vifOf(guest), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
    await ip('-n', space, 'link', 'set', 'eth0', 'address', guest.mac, 'up');
    this.say(guest, { mac: guest.mac, ip: guest.ip, bridge: BRIDGE, script: '/etc/xen/scripts/vif-guestflow' });
  }

  async remove(guests: readonly Guest[]): Promise<void> {
    for (const space of [this.#dom0, ...guests.map((guest) => this.#spaceOf(guest))])
      await host.run('ip', ['netns', 'del', space], { okCodes: [0, 1] });
  }

  clear(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A program in the way of the scripts; undefined: none any more. */
  program(name: string, body: string | undefined): void {
    const path = join(this.#tools, name);
    if (body === undefined) rmSync(path);
    else writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }

  /** What xenstore says of a guest's vif; a value of undefined is not there. */
  say(guest: Guest, values: Record<string, string | undefined>): void {
    for (const [name, value] of Object.entries(values)) {
      const file = join(this.#store, backendOf(guest), name);
      mkdirSync(dirname(file), { recursive: true });
      if (value === undefined) rmSync(file, { force: true });
      else writeFileSync(file, value);
    }
  }

  /** Both guests start, with what their cfgs say. */
  async bothOnline(): Promise<void> {
    for (const guest of [A, B]) {
      this.say(guest, { mac: guest.mac, ip: guest.ip, vifname: undefined, 'hotplug-error': undefined, 'hotplug-status': undefined });
      expect(await this.call(guest, 'online')).toMatchObject({ code: 0, stderr: '' });
    }
  }

  /** What xenstore has of a guest's vif. */
  said(guest: Guest, name: string): string | undefined {
    const file = join(this.#store, backendOf(guest), name);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  }

  /** Calls the script as libxl does; `add` and `remove` are for qemu's interface of the guest. `without`: a program that it shall not find, by its path. */
  async call(
    guest: Guest,
    action: 'online' | 'offline' | 'add' | 'remove' | 'refresh',
    { env = {}, without }: { readonly env?: Record<string, string>; readonly without?: string } = {},
  ): Promise<{ readonly code: number; readonly stderr: string }> {
    const path = `${this.#tools}:${process.env['PATH'] ?? ''}`;
    const isOfQemu = action === 'add' || action === 'remove';
    const ofQemu = isOfQemu ? { INTERFACE: `${vifOf(guest)}-emu` } : {};
    const ofVif = action === 'refresh' ? {} : { XENBUS_PATH: backendOf(guest), vif: vifOf(guest), ...ofQemu };
    const words = Object.entries({ PATH: path, STORE: this.#store, ...ofVif, ...env }).map(([name, value]) => `${name}=${value}`);
    // `ip netns exec` gives it mounts of its own.
    const hiding = without === undefined ? [] : ['sh', '-c', 'mount --bind /dev/null "$0" && exec "$@"', without];
    const script = [join(this.#scripts, 'vif-guestflow'), action, ...(action === 'refresh' ? [] : [`type_if=${isOfQemu ? 'tap' : 'vif'}`])];
    return host.run('ip', ['netns', 'exec', this.#dom0, ...hiding, 'env', '-i', ...words, ...script], {
      okCodes: Array.from({ length: 256 }, (_, code) => code),
    });
  }

  /** The interfaces on the bridge. */
  async ports(): Promise<string[]> {
    const { stdout } = await this.inDom0('ip', '-br', 'link', 'show', 'master', BRIDGE);
    return [...stdout.matchAll(/^([^\s@]+)/gm)].map(([, name = '']) => name);
  }

  /** Which of these frames, sent by one guest, arrive at another. Nothing is waited for but a last frame of its own, which arrives. */
  async arrived(from: Guest, to: Guest, frames: readonly Buffer[]): Promise<Buffer[]> {
    this.#marks += 1;
    const [address = ''] = from.ip.split(' ');
    const last = udp4({ mac: from.mac, from: address, to: '255.255.255.255', text: `mark ${String(this.#marks)}` });
    const sent = [...frames, last].map((frame) => frame.toString('hex'));
    const { stdout } = await host.run('python3', ['-c', EXCHANGE, this.#spaceOf(to), this.#spaceOf(from), ...sent]);
    const came = new Set(stdout.trim().split('\n'));
    return frames.filter((frame) => came.has(frame.toString('hex')));
  }
}
