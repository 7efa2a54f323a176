/**
 * The keys that xl of Xen 4.17 reads (`xl_parse.c`), by the kind of value that it expects. It ignores any other key without a word.
 * If a value is of the wrong kind, it warns and drops the value; that does not change its exit code.
 */
import { distance } from 'fastest-levenshtein';

export type KeyKind =
  | 'number'
  | 'boolean'
  | 'string'
  | 'list'
  /** a number, or else one of some names */
  | 'number-or-string'
  /** a string, or a list of them */
  | 'string-or-list'
  /** a list, or else 0 or 1 */
  | 'boolean-or-list';

const KEYS: Record<KeyKind, string> = {
  number: `memory maxmem vcpus maxvcpus cpu_weight cap period slice latency extratime max_grant_frames max_maptrack_frames max_grant_version
    pci_msitranslate pci_power_mgmt pci_permissive pci_seize shadow_memory rtc_timeoffset vncviewer videoram max_event_channels mmio_hole
    rdm_mem_boundary vmtrace_buf_kb stubdomain_memory vncdisplay stdvga spiceport spicetls_port spiceusbredirection usbversion`,
  boolean: `hap oos pvshim e820_host nomigrate localtime driver_domain acpi nestedhvm pae acpi_s3 acpi_s4 acpi_laptop_slate nx hpet vpt_align apic
    altp2mhvm device_model_stubdomain_override vnc vncunused sdl opengl dm_restrict spice spicedisable_ticketing spiceagent_mouse spicevdagent
    spice_clipboard_sharing nographic usb vkb_device xen_platform_pci xend_suspend_evtchn_compat msr_relaxed vpmu`,
  string: `init_seclabel seclabel type builder name uuid pool pvshim_path pvshim_cmdline pvshim_extra vuart on_poweroff on_reboot on_watchdog on_crash
    on_soft_reset rdm passthrough kernel ramdisk device_tree cmdline root extra bootloader firmware_override bios_path_override bios smbios_firmware
    acpi_firmware ms_vm_genid firmware device_model device_model_override device_model_version device_model_stubdomain_seclabel device_model_user
    stubdomain_kernel stubdomain_cmdline stubdomain_ramdisk vnclisten vncpasswd display xauthority keymap vga hdtype spicehost spicepasswd
    spice_image_compression spice_streaming_video boot soundhw vendor_device gic_version tee`,
  list: `vnuma pci dtdev mca_caps ioports irqs iomem disk p9 vtpm vdispl pvcalls vsnd channel vif vif2 vfb usbctrl usbdev vkb
    device_model_args device_model_args_pv device_model_args_hvm`,
  'number-or-string': 'tsc_mode timer_mode altp2m gfx_passthru',
  'string-or-list': 'cpus cpus_soft bootloader_args cpuid serial usbdevice',
  'boolean-or-list': 'viridian',
};

const KIND_OF = new Map<string, KeyKind>(
  (Object.keys(KEYS) as KeyKind[]).flatMap((kind) =>
    KEYS[kind]
      .trim()
      .split(/\s+/)
      .map((key): [string, KeyKind] => [key, kind]),
  ),
);

/** undefined: xl does not know the key. */
export function kindOf(key: string): KeyKind | undefined {
  return KIND_OF.get(key);
}

/** Keys whose value must be at least 1, or no guest can be made. */
export const AT_LEAST_ONE: ReadonlySet<string> = new Set(['memory', 'maxmem', 'vcpus', 'maxvcpus']);

/** The known key that was probably meant, if one is near. */
export function nearestKey(key: string): string | undefined {
  return nearestOf(key, KIND_OF.keys());
}

/** The candidate at most two letters away, or one swap of neighbours. */
export function nearestOf(word: string, candidates: Iterable<string>): string | undefined {
  const limit = word.length <= 3 ? 1 : 2;
  let best: string | undefined;
  let bestDistance = limit + 1;
  if (word.length > 40) return undefined;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const letters = distance(word, candidate);
    if (letters < bestDistance) [best, bestDistance] = [candidate, letters];
  }
  return best;
}
