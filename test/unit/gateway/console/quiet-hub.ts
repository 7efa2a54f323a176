/** Consoles of a gateway that listens nowhere, and says nothing. */
import { ConsoleHub } from '../../../../gateway/console/hub.ts';
import type { GuestApi } from '../../../../gateway/v1/guest-api.ts';
import { ORIGIN } from './rig.ts';

const nothing = (): void => undefined;

export function quietHub(guests: Pick<GuestApi, 'openConsole'>, now?: () => number): ConsoleHub {
  return new ConsoleHub({
    origin: ORIGIN,
    openConsole: (guest, wish) => guests.openConsole(guest, wish),
    log: { info: nothing, warn: nothing, error: nothing },
    now,
  });
}
