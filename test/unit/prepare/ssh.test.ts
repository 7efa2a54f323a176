import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { overSsh } from '../../../prepare/ssh.ts';
import type { Wishes } from '../../../prepare/types.ts';
import { scriptedHost, type Answer } from '../scripted-host.ts';

const WISHES: Wishes = { confirm: 'login' };

/** The host behind ssh: answers lines of shell. */
function connect(answer: (line: string, calls: readonly string[]) => Answer | undefined, target = 'root@192.0.2.5') {
  const folder = mkdtempSync(join(tmpdir(), 'guestflow-unit-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'node'), 'node');
  const lines: string[] = [];
  const runner = scriptedHost((command) => {
    if (command.includes('-O exit')) {
      lines.push('drop');
      return {};
    }
    const line = command.slice(command.indexOf(` ${target} `) + target.length + 2);
    lines.push(line);
    return answer(line, lines) ?? {};
  });
  const options = { target, program: new Uint8Array(), node: join(folder, 'node'), say: () => undefined, runner };
  return { connecting: overSsh(options), lines, calls: runner.calls };
}
const root = (line: string): Answer | undefined => (line === 'id -u' ? { stdout: '0\n' } : undefined);

describe('a host over ssh', () => {
  it.each(['-oProxyCommand=reboot', 'root@-x', 'a b', 'root@host;reboot', ''])('%j is no target', async (target) => {
    const { connecting, calls } = connect(root, target);
    await expect(connecting).rejects.toMatchObject({ type: 'InvalidInput', details: { field: '--ssh', value: target } });
    expect(calls).toEqual([]);
  });

  it('is asked without a question, with a host key that is known', async () => {
    const { connecting, calls } = connect(root);
    await connecting;
    expect(calls[0]).toContain('BatchMode=yes');
    expect(calls[0]).toContain('StrictHostKeyChecking=yes');
  });

  it('that cannot be reached, or where the user is not root, is refused before anything is sent', async () => {
    await expect(connect(() => ({ code: 255, stderr: 'Host key verification failed.' })).connecting).rejects.toMatchObject({
      type: 'Unreachable',
    });
    const { connecting, lines } = connect((line) => (line === 'id -u' ? { stdout: '1000\n' } : undefined));
    await expect(connecting).rejects.toMatchObject({ type: 'InvalidInput', details: { mend: 'name root@HOST' } });
    expect(lines).toEqual(['id -u', 'drop']);
  });

  it('gets the program once: what is there whole is not sent again', async () => {
    const { connecting, lines } = connect((line) => (line.startsWith('echo') ? { code: 1 } : root(line)));
    await connecting;
    expect(lines.filter((line) => line.includes('gunzip'))).toHaveLength(2);
    const again = connect(root);
    await again.connecting;
    expect(again.lines.filter((line) => line.includes('gunzip'))).toHaveLength(0);
  });

  it('is watched through lost connections, and told by a new login that its bridge is reached', async () => {
    const events = [
      { event: 'step', step: 'bridge', state: 'begins' },
      { event: 'awaits login', reachedFile: '/run/x', seconds: 60 },
      { event: 'result', report: { rows: [] } },
    ].map((event) => `${JSON.stringify(event)}\n`);
    let polls = 0;
    let confirms = 0;
    const { connecting, lines } = connect((line) => {
      if (line.startsWith('echo login')) {
        confirms += 1;
        return confirms === 1 ? { code: 255 } : {};
      }
      if (line === 'systemctl is-active --quiet guestflow-prepare.service') return { code: 3 };
      if (!line.includes('tail -c')) return root(line);
      polls += 1;
      if (polls === 2) return { code: 255, stderr: 'Connection reset' };
      // Half of a line arrives first.
      return {
        stdout:
          ({ 1: `${events[0]}${events[1]?.slice(0, 9)}`, 3: events[1]?.slice(9), 4: events[2] } as Record<number, string>)[polls] ?? '',
      };
    });
    const told: string[] = [];
    const report = await (await connecting).run(WISHES, ({ event }) => told.push(event), new AbortController().signal);
    expect(report).toEqual({ rows: [] });
    expect(told).toEqual(['step', 'awaits login']);
    const at = lines.lastIndexOf('echo login > /run/guestflow-bridge-reached');
    expect(lines[at - 1]).toBe('drop');
    expect(confirms).toBe(2);
  });

  it('where another run goes on is left alone', async () => {
    const { connecting } = connect(root);
    await expect((await connecting).plan(WISHES)).rejects.toMatchObject({ type: 'Busy' });
  });
});
