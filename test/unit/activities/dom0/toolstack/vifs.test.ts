/** The counters of vifs, as the kernel of a dom0 shows them. */
import { describe, expect, it } from 'vitest';
import { vifCounters } from '../../../../../activities/dom0/toolstack/xl/vifs.ts';
import type { Host } from '../../../../../system/host.ts';

const BACKENDS = '/sys/bus/xen-backend/devices';

/** A dom0 with these files; an error is what reading one brings. */
function hostWith(files: Readonly<Record<string, string | Error>>): Host {
  const list = (path: string): Promise<string[]> =>
    Promise.resolve([
      ...new Set(
        Object.keys(files)
          .filter((file) => file.startsWith(`${path}/`))
          .map((file) => file.slice(path.length + 1).split('/')[0]!),
      ),
    ]);
  const read = (path: string): Promise<Buffer | undefined> => {
    const text = files[path];
    return text instanceof Error ? Promise.reject(text) : Promise.resolve(text === undefined ? undefined : Buffer.from(text));
  };
  return { files: { list, read } } as unknown as Host;
}

function vif(device: string, name: string, received: string | Error, sent: string | Error = received): Record<string, string | Error> {
  const statistics = `${BACKENDS}/${device}/net/${name}/statistics`;
  return { [`${statistics}/rx_bytes`]: received, [`${statistics}/tx_bytes`]: sent };
}

describe('the counters of a domain', () => {
  it('are those of its vifs alone, whatever their interfaces are called; what the dom0 received, the guest has sent', async () => {
    const host = hostWith({
      ...vif('vif-1-0', 'vif1.0', '7\n', '8\n'),
      ...vif('vif-1-1', 'web1-public', '18446744073709551615\n', '0\n'),
      ...vif('vif-11-0', 'vif11.0', '9\n'),
      [`${BACKENDS}/vbd-1-51714/nodename`]: 'backend/vbd/1/51714\n',
    });
    expect(await vifCounters(host, 1)).toEqual({ 0: { inBytes: 8, outBytes: 7 }, 1: { inBytes: 0, outBytes: 2 ** 64 } });
    expect(await vifCounters(host, 2)).toEqual({});
  });

  it.each(['EINVAL', 'ENODEV'])('are nothing for a vif that goes away just now (%s)', async (code) => {
    const going = Object.assign(new Error(code), { code });
    expect(await vifCounters(hostWith(vif('vif-1-0', 'vif1.0', '7\n', going)), 1)).toEqual({});
  });

  it('are nothing for a vif that has no interface, or whose counter is no number', async () => {
    expect(await vifCounters(hostWith({ [`${BACKENDS}/vif-1-0/nodename`]: 'x', ...vif('vif-1-1', 'vif1.1', '') }), 1)).toEqual({});
  });

  it('cannot be had if the kernel refuses them for another reason', async () => {
    const refused = Object.assign(new Error('EACCES'), { code: 'EACCES' });
    await expect(vifCounters(hostWith(vif('vif-1-0', 'vif1.0', refused)), 1)).rejects.toThrow('EACCES');
  });
});
