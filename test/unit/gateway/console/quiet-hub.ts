/** Consoles, and opened backups, of a gateway that listens nowhere, and says nothing. */
import { ConsoleHub } from '../../../../gateway/console/hub.ts';
import { FilesHub } from '../../../../gateway/files/hub.ts';
import type { GuestApi } from '../../../../gateway/v1/guest-api.ts';
import { ORIGIN } from './rig.ts';

const nothing = (): void => undefined;
const LOG = { info: nothing, warn: nothing, error: nothing };

export function quietHub(guests: Pick<GuestApi, 'openConsole'>, now?: () => number): ConsoleHub {
  return new ConsoleHub({
    origin: ORIGIN,
    openConsole: (guest, wish) => guests.openConsole(guest, wish),
    log: LOG,
    now,
  });
}

/** Of the same process as these consoles. */
export function quietFiles(guests: Pick<GuestApi, 'openFiles'>, { arrivals }: ConsoleHub, now?: () => number): FilesHub {
  return new FilesHub({ arrivals, openFiles: (guest, wish) => guests.openFiles(guest, wish), log: LOG, now });
}
