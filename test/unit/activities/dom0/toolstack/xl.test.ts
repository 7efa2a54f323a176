import { describe, expect, it } from 'vitest';
import {
  awaitGone,
  consoleTail,
  destroyDomain,
  dryRun,
  findDomain,
  parseDomainList,
  parseVcpuList,
  parseXlInfo,
} from '../../../../../activities/dom0/toolstack/xl/xl.ts';
import { createDomain } from '../../../../../activities/dom0/toolstack/xl/xl-create.ts';
import { plainText } from '../../../../../system/plain-text.ts';
import { recorded, scriptedHost } from '../../../scripted-host.ts';

const HEADER = 'Name                                        ID   Mem VCPUs\tState\tTime(s)\n';
const row = (name: string, id: number, state = '-b----'): string =>
  `${name.padEnd(40)} ${String(id).padStart(5)}   512     1     ${state}      12.3\n`;

describe('xl list', () => {
  it('is read as the real tool prints it', () => {
    expect(parseDomainList(recorded('xl-list'))).toEqual([
      { name: 'Domain-0', id: 0, memoryMiB: 1536, vcpus: 2, state: 'running', cpuSeconds: expect.any(Number) as number },
    ]);
  });

  it.each([
    ['r-----', 'running'],
    ['-b----', 'running'],
    // It waits for its turn on a CPU.
    ['------', 'running'],
    ['--p---', 'paused'],
    ['---s--', 'ending'],
    ['-----d', 'ending'],
    // Letters as xl 4.17 and 4.20 have them: reboot or power-off while it is taken apart; a crash, kept for its core; that crash while it is taken apart.
    ['---s-d', 'ending'],
    ['--ps--', 'ending'],
    ['---sc-', 'crashed'],
    ['---scd', 'ending'],
  ])('tells the state %s in a word: %s', (letters, word) => {
    expect(parseDomainList(HEADER + row('web1', 4, letters))[0]?.state).toBe(word);
  });

  it('keeps names with spaces, digits at their end and (null) whole', () => {
    const names = ['old guest 7', 'a-name-that-is-longer-than-forty-characters-on-purpose', '(null)', 'web1'];
    expect(parseDomainList(HEADER + names.map((name, index) => row(name, index + 1)).join('')).map((found) => found.name)).toEqual(names);
  });

  it('finds a domain by its exact name only', async () => {
    const host = scriptedHost(() => ({ stdout: HEADER + row('web10', 4) + row('17', 5) }));
    expect(await findDomain(host, 'web1')).toBeUndefined();
    expect((await findDomain(host, '17'))?.id).toBe(5);
    expect(host.calls).toEqual(['xl list', 'xl list']);
  });
});

it('xl vcpu-list is read: names with spaces, and vcpus that are off', () => {
  const text = [
    'Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)',
    'Domain-0                             0     0    1   r--      63.2  all / all',
    'old guest 7                          4     0    0   -b-       1.3  all / all',
    'old guest 7                          4     1    -   --p       0.0  all / all',
    '',
  ].join('\n');
  expect(parseVcpuList(text)).toEqual([
    { domainId: 0, vcpu: 0, online: true },
    { domainId: 4, vcpu: 0, online: true },
    { domainId: 4, vcpu: 1, online: false },
  ]);
});

it('xl info is read as the real tool prints it', () => {
  expect(parseXlInfo(recorded('xl-info'))).toEqual({
    host: 'dom0',
    release: '6.1.0-56-amd64',
    xenVersion: '4.17.7',
    totalMemoryMiB: 4095,
    freeMemoryMiB: 2516,
    cpus: 2,
  });
});

it('xl info of Debian 13 is read, too', () => {
  expect(parseXlInfo(recorded('xl-info-trixie'))).toEqual({
    host: 'dom0',
    release: '6.12.118+deb13-amd64',
    xenVersion: '4.20.5-pre',
    totalMemoryMiB: 4095,
    freeMemoryMiB: 2516,
    cpus: 2,
  });
});

describe('the dry run', () => {
  it('reports every complaint of xl, though xl ends well', async () => {
    const host = scriptedHost(() => ({ stdout: recorded('xl-dry-run.stdout'), stderr: recorded('xl-dry-run.stderr') }));
    const { config, warnings } = await dryRun(host, '/etc/xen/guest1.cfg');
    expect(warnings).toHaveLength(3);
    expect(warnings.join('\n')).toMatch(/memory.*\n.*vcpus.*\n.*brigde/);
    expect(config).toMatchObject({ c_info: { name: 'guest1' } });
    expect(host.calls).toEqual(['xl -N create /etc/xen/guest1.cfg']);
  });

  it('is an error when xl prints no configuration', async () => {
    const host = scriptedHost(() => ({ stderr: 'something else\n' }));
    await expect(dryRun(host, '/etc/xen/guest1.cfg')).rejects.toThrow(/something else/);
  });
});

describe('creating domains', () => {
  it('is done one at a time on a dom0, also after one that failed', async () => {
    let running = 0;
    let most = 0;
    const host = scriptedHost(async (command) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      running -= 1;
      return { code: command.endsWith('/etc/xen/b.cfg') ? 1 : 0 };
    });
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => createDomain(host, `/etc/xen/${name}.cfg`)));
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(most).toBe(1);
    expect(host.calls[0]).toBe('systemd-run --scope --quiet --collect --slice=guestflow-guests.slice -- xl create /etc/xen/a.cfg');
  });

  it('says why none could be made, and not what came after that', async () => {
    const host = scriptedHost(() => ({ code: 3, stderr: recorded('xl-create-no-kernel-trixie.stderr') }));
    const { message } = (await createDomain(host, '/etc/xen/a.cfg').catch((error: unknown) => error as Error)) as Error;
    expect(message).toMatch(
      /^xl create ended with exit code 3: xc: error: panic: [^]*no loader found: Invalid kernel\n[^]*xc_dom_parse_image failed/,
    );
    expect(message).not.toMatch(/Parsing config|Non-existant domain|Destruction of domain/);
  });

  it('never touches dom0 itself', async () => {
    const host = scriptedHost(() => ({}));
    await expect(destroyDomain(host, 0)).rejects.toThrow(/domain id/);
    expect(host.calls).toEqual([]);
  });
});

describe('waiting until a domain has gone', () => {
  it('goes on while it is dying under no name', async () => {
    const lists = [row('web1', 4), row('(null)', 4, '--ps-d'), ''];
    const host = scriptedHost(() => ({ stdout: HEADER + (lists.shift() ?? '') }));
    expect(await awaitGone(host, 'web1', 60_000)).toBe(true);
    expect(host.calls).toHaveLength(3);
  });

  it('says when it is still there at the end of the time', async () => {
    const host = scriptedHost(() => ({ stdout: HEADER + row('web1', 4) }));
    expect(await awaitGone(host, 'web1', 0)).toBe(false);
  });
});

describe('the console', () => {
  it('cannot steer the terminal of whoever reads it', () => {
    expect(plainText('ok\u001b[31mred\u001b[0m\u001b]0;title\u0007\u0008\r\n\u009b2Jend')).toBe('okred\n2Jend');
  });

  it('gives the last lines of the log, and nothing when there is no log', async () => {
    const host = scriptedHost(() => ({}));
    expect(await consoleTail(host, 'web1')).toBe('');
    await host.files.makeDirectory('/var/log/xen/console');
    await host.files.writeAtomic('/var/log/xen/console/guest-web1.log', 'one\r\ntwo\r\nthree\r\n');
    expect(await consoleTail(host, 'web1', 2)).toBe('two\nthree');
    await expect(consoleTail(host, '../../x')).rejects.toThrow(/name/);
  });

  it('never reads a log of any size whole', async () => {
    const host = scriptedHost(() => ({ stdout: 'the end\n' }));
    await host.files.makeDirectory('/var/log/xen/console');
    await host.files.writeAtomic('/var/log/xen/console/guest-web1.log', 'x'.repeat(100_000));
    expect(await consoleTail(host, 'web1')).toBe('the end');
    expect(host.calls).toEqual(['tail -c 65536 -- /var/log/xen/console/guest-web1.log']);
  });
});
