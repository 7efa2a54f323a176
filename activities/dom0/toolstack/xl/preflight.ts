/** What xl and its surroundings need on a dom0: rows of the preflight. */
import type { PreflightRow } from '../../../../contract/dom0.ts';
import type { Host } from '../../../../system/host.ts';
import { missing, ok, warning } from '../../preflight-rows.ts';
import { CONSOLE_LINE } from '../../tools/dom0-files.ts';
import { isInstalled } from '../../tools/installed.ts';
import { xendomainsSettings } from './xendomains.ts';
import { hostInfo } from './xl.ts';

export async function xlPreflight(host: Host): Promise<PreflightRow[]> {
  return [await hypervisor(host), await consoleLog(host), await autostart(host), await savedStates(host)];
}

async function hypervisor(host: Host): Promise<PreflightRow> {
  try {
    const info = await hostInfo(host);
    return ok('hypervisor', `Xen ${info.xenVersion}, ${info.freeMemoryMiB} of ${info.totalMemoryMiB} MiB free`);
  } catch (error) {
    return missing(
      'hypervisor',
      `xl info fails: ${error instanceof Error ? error.message : String(error)}`,
      'apt-get install xen-system-amd64, then reboot into Xen',
    );
  }
}

const CONSOLE_LOGGED = /^XENCONSOLED_ARGS=.*--log=(guest|all)/m;

/** Whether the consoles of domains are kept. */
export async function consoleLog({ files }: Host): Promise<PreflightRow> {
  const text = (await files.read('/etc/default/xen'))?.toString('utf8') ?? '';
  return CONSOLE_LOGGED.test(text)
    ? ok('console log', '/var/log/xen/console')
    : warning(
        'console log',
        'guests’ consoles are not logged: an error at boot has no console to show',
        `add ${CONSOLE_LINE} to /etc/default/xen, then reboot dom0 (xenconsoled reads it when it starts)`,
      );
}

async function autostart({ files }: Host): Promise<PreflightRow> {
  const enabled =
    (await isInstalled(files, '/etc/init.d/xendomains')) || (await isInstalled(files, '/usr/lib/systemd/system/xendomains.service'));
  return enabled
    ? ok('autostart', 'xendomains')
    : warning(
        'autostart',
        'no xendomains: guests do not start with their dom0',
        'apt-get install xen-utils-common && systemctl enable xendomains',
      );
}

const NOT_SAVED = 'in /etc/default/xendomains: XENDOMAINS_SAVE= (empty); guests are then shut down and started with their dom0';

/** Whether guests' memory is written to dom0's disk when it shuts down, and what becomes of it. */
async function savedStates(host: Host): Promise<PreflightRow> {
  const { directory, restores } = await xendomainsSettings(host);
  if (directory === undefined) return ok('saved states', 'guests are shut down with their dom0, not saved');
  const saves = `xendomains saves the memory of guests to ${directory} when dom0 shuts down`;
  return warning(
    'saved states',
    restores
      ? `${saves}, and restores it at the next boot; what it cannot restore it tries again at each later one (XENDOMAINS_RESTORE is not empty)`
      : `${saves}, and never restores it: guests start as after a power cut (XENDOMAINS_RESTORE is empty)`,
    NOT_SAVED,
  );
}
