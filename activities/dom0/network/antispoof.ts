/** The hotplug script that lets a guest send from its own MAC and addresses only (`deploy/dom0/vif-guestflow`): what a cfg says of it. */
import type { Dom0Settings } from '../../../order/dom0-settings.ts';

/** As a cfg names it: xl looks for it in /etc/xen/scripts. */
export const ANTISPOOF_SCRIPT = 'vif-guestflow';

/** Where the package puts it. */
export const ANTISPOOF_PATH = `/etc/xen/scripts/${ANTISPOOF_SCRIPT}`;

/** What a vif without a script of its own has. */
const XEN_SCRIPT = 'vif-bridge';

/** Whether a vif has it. */
export function hasAntispoof(script: string | null | undefined): boolean {
  return script === ANTISPOOF_SCRIPT || script === ANTISPOOF_PATH;
}

/**
 * The script that a vif gets. Where `network.antispoof` is on, it takes the place of any other: none else keeps guests apart. Where it is off, it gives
 * way to Xen's, and an operator's own stays.
 *
 * @param found the script that the vif has
 */
export function vifScript({ network }: Dom0Settings, found: string | null | undefined): { readonly script?: string } {
  if (network.antispoof) return { script: ANTISPOOF_SCRIPT };
  return hasAntispoof(found) ? { script: XEN_SCRIPT } : {};
}
