/** What host tests need of the machine, and things they make on it. */
import { accessSync, constants, existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createHost, type Host } from '../../system/host.ts';

export const host: Host = createHost();

function isInstalled(tool: string): boolean {
  return ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Why host tests with these tools cannot run here; undefined when they can. */
export function whyNotHere(...tools: string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/dev/loop-control')) return 'needs loop devices';
  const missing = tools.filter((tool) => !isInstalled(tool));
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`;
}

/** A title that says why its tests are skipped. */
export function titled(title: string, why: string | undefined): string {
  return why === undefined ? title : `${title} (skipped: ${why})`;
}

/** A directory that goes when the test ends. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'guestflow-host-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** An empty file of this size. */
export function imageFile(path: string, bytes: number): string {
  writeFileSync(path, '', { mode: 0o600 });
  truncateSync(path, bytes);
  return path;
}

/** A loop device on a file, detached when the test ends. */
export async function loopOn(file: string): Promise<string> {
  const device = (await host.run('losetup', ['--find', '--show', file])).stdout.trim();
  onTestFinished(async () => {
    await host.run('losetup', ['--detach', device], { okCodes: [0, 1] });
  });
  return device;
}

/** Mounts a device that only this test has written; unmounted when the test ends at the latest. */
export async function mounted(device: string, at: string): Promise<{ unmount: () => Promise<void> }> {
  await host.files.makeDirectory(at);
  await host.run('mount', [device, at]);
  let done = false;
  const unmount = async (): Promise<void> => {
    if (!done) await host.run('umount', [at]);
    done = true;
  };
  onTestFinished(unmount);
  return { unmount };
}
