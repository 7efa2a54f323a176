/** The emulated machine: its hardware and how QEMU is told about it. A saved state belongs to exactly this command line. */
import path from 'node:path';

/** How the processor is emulated: in software, or by a /dev/kvm that can run Xen. */
export type Accel = 'tcg' | 'kvm';

/** Address and port at which the lab sees the Temporal server, and the port of the dom0's ssh. */
export const TEMPORAL_INSIDE = '10.0.2.100:7233';

/**
 * Features that Xen or its guests do not survive under QEMU's software emulation: dom0 dies with smap, guests crash with AVX.
 */
export const TCG_CPU = 'max,-smap,-xsave,-xsaveopt,-xsavec,-xsaves,-xgetbv1,-avx,-avx2,-fma,-f16c,-pku';
const XEN_OPTIONS =
  'console=com1 com1=115200,8n1 dom0_mem=1536M,max:1536M dom0_max_vcpus=2 loglvl=warning guest_loglvl=all/all spec-ctrl=no xpti=no bootscrub=0';
const DOM0_OPTIONS = 'root=/dev/vda rw console=hvc0 net.ifnames=0 mitigations=off quiet audit=0';
const MEMORY_MIB = 4096;

/** Files and ports of one machine. */
export interface MachineFiles {
  readonly accel: Accel;
  /** Folder with `xen`, `vmlinux` and `initrd`. */
  readonly base: string;
  readonly rootDisk: string;
  readonly volumeDisk: string;
  /** Raw file by which the lab hands files to dom0 (its third disk). */
  readonly parcel: string;
  readonly serialLog: string;
  readonly serialSocket: string;
  readonly qmpSocket: string;
  readonly pidFile: string;
  readonly sshPort: number;
  /** Program that connects its standard input and output to the Temporal server. */
  readonly forwarder: string;
}

/** A value for a QEMU option list: commas are doubled. */
export function quote(value: string): string {
  return value.replaceAll(',', ',,');
}

/** A disk of the machine. */
export function disk(id: string, file: string, format: string, extra = ''): string[] {
  return ['-drive', `if=none,id=${id},file=${quote(file)},format=${format},cache=unsafe${extra}`, '-device', `virtio-blk-pci,drive=${id}`];
}

/** The arguments for `qemu-system-x86_64`. */
export function machineArguments(files: MachineFiles, incoming: boolean): string[] {
  const closedNetwork = `user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:${String(files.sshPort)}-:22,guestfwd=tcp:${TEMPORAL_INSIDE}-cmd:${quote(files.forwarder)}`;
  return [
    '-name',
    'guestflow-lab',
    '-machine',
    'pc',
    '-nodefaults',
    '-display',
    'none',
    '-accel',
    files.accel === 'kvm' ? 'kvm' : 'tcg,thread=multi,tb-size=1024',
    '-cpu',
    files.accel === 'kvm' ? 'host' : TCG_CPU,
    '-smp',
    '2',
    '-m',
    String(MEMORY_MIB),
    '-chardev',
    `socket,id=ser,path=${quote(files.serialSocket)},server=on,wait=off,logfile=${quote(files.serialLog)}`,
    '-serial',
    'chardev:ser',
    '-qmp',
    `unix:${quote(files.qmpSocket)},server=on,wait=off`,
    '-pidfile',
    files.pidFile,
    '-kernel',
    path.join(files.base, 'xen'),
    '-append',
    XEN_OPTIONS,
    '-initrd',
    `${quote(path.join(files.base, 'vmlinux'))} ${DOM0_OPTIONS},${quote(path.join(files.base, 'initrd'))}`,
    ...disk('root', files.rootDisk, 'qcow2', ',discard=unmap,detect-zeroes=unmap'),
    ...disk('volumes', files.volumeDisk, 'qcow2', ',discard=unmap,detect-zeroes=unmap'),
    ...disk('parcel', files.parcel, 'raw'),
    '-netdev',
    closedNetwork,
    '-device',
    'virtio-net-pci,netdev=n0,romfile=,id=nic',
    '-device',
    'virtio-rng-pci',
    ...(incoming ? ['-incoming', 'defer'] : []),
  ];
}

/** What decides whether a saved state fits a machine: the hardware, and QEMU's own version. */
export function machineSignature(accel: Accel, qemuVersion: string): string {
  const placeholder = {
    base: '',
    rootDisk: '',
    volumeDisk: '',
    parcel: '',
    serialLog: '',
    serialSocket: '',
    qmpSocket: '',
    pidFile: '',
    sshPort: 0,
    forwarder: '',
  };
  return JSON.stringify([qemuVersion, machineArguments({ accel, ...placeholder }, false)]);
}
