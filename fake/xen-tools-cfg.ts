/** The cfg that xen-tools writes from its template. */

/** Options of xen-create-image by name, without their dashes. */
export type Options = Record<string, string>;

/** Mebibytes of `512M`. */
export function megabytes(text: string | undefined): number {
  return Number((text ?? '0M').replace(/M$/, ''));
}

/** As xen-tools 4.9 writes it from xm.tmpl: the blank after the address is its own. */
export function xenCfg(options: Options): string {
  const { hostname = '', dir = '' } = options;
  const swap = options['swap'] === undefined ? '' : `                  'file:${dir}/domains/${hostname}/swap.img,xvda1,w',\n`;
  return `#
# Configuration file for the Xen instance ${hostname}, created
# by xen-tools 4.9.2 on Mon Nov 23 18:02:18 2026.
#

#
#  Kernel + memory size
#
kernel      = '${options['kernel'] ?? ''}'
extra       = 'elevator=noop'
ramdisk     = '${options['initrd'] ?? ''}'

vcpus       = '${options['vcpus'] ?? ''}'
memory      = '${String(megabytes(options['memory']))}'


#
#  Disk device(s).
#
root        = '/dev/xvda2 ro'
disk        = [
                  'file:${dir}/domains/${hostname}/disk.img,xvda2,w',
${swap}              ]


#
#  Physical volumes
#


#
#  Hostname
#
name        = '${hostname}'

#
#  Networking
#
vif         = [ 'ip=${options['ip'] ?? ''} ,mac=${options['mac'] ?? ''},bridge=${options['bridge'] ?? ''}' ]

#
#  Behaviour
#
on_poweroff = 'destroy'
on_reboot   = 'restart'
on_crash    = 'restart'


`;
}
