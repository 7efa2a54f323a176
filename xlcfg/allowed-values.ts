/** The values that xl of Xen 4.17 accepts for some keys. For any other it ends with an error (`xl_parse.c`, each line tried). */
import { readNumber } from './numbers.ts';

export type GuestType = 'pv' | 'pvh' | 'hvm';

interface Rule {
  names: readonly string[];
  /** xl compares these without regard to capitals. */
  anyCase?: boolean;
  /** Numbers from 0 to this stand for the names too. */
  numbersTo?: number;
  /** Only for these guests; xl overlooks the key for others. */
  only?: GuestType;
}

const ACTION: Rule = { names: ['destroy', 'restart', 'rename-restart', 'preserve', 'coredump-destroy', 'coredump-restart', 'soft-reset'] };

const RULES = new Map<string, Rule>([
  ['on_poweroff', ACTION],
  ['on_reboot', ACTION],
  ['on_watchdog', ACTION],
  ['on_crash', ACTION],
  ['on_soft_reset', ACTION],
  ['device_model_version', { names: ['qemu-xen', 'qemu-xen-traditional'] }],
  ['passthrough', { names: ['default', 'disabled', 'enabled', 'sync_pt', 'share_pt', 'unknown'], anyCase: true }],
  ['tsc_mode', { names: ['default', 'always_emulate', 'native', 'native_paravirt'], anyCase: true, numbersTo: 3 }],
  ['altp2m', { names: ['disabled', 'mixed', 'external', 'limited'], anyCase: true, numbersTo: 3 }],
  [
    'timer_mode',
    {
      names: ['delay_for_missed_ticks', 'no_delay_for_missed_ticks', 'no_missed_ticks_pending', 'one_missed_tick_pending'],
      anyCase: true,
      numbersTo: 3,
    },
  ],
  ['gic_version', { names: ['default', 'v2', 'v3'], anyCase: true }],
  ['tee', { names: ['none', 'optee'], anyCase: true }],
  ['bios', { names: ['unknown', 'rombios', 'seabios', 'ovmf'], anyCase: true, only: 'hvm' }],
  ['hdtype', { names: ['ide', 'ahci'], anyCase: true, only: 'hvm' }],
  ['vendor_device', { names: ['none', 'xenserver'], anyCase: true, only: 'hvm' }],
  ['vga', { names: ['stdvga', 'cirrus', 'none', 'qxl'], only: 'hvm' }],
  ['ms_vm_genid', { names: ['generate', 'none'], only: 'hvm' }],
]);

/** Why xl refuses the value, or undefined. */
export function refusalOf(key: string, value: string, type: GuestType | undefined): string | undefined {
  if (key === 'timer_mode' && type === 'pv') return 'timer_mode: xl has none for pv guests';
  if (key === 'cpus' || key === 'cpus_soft') return cpuListFault(key, value);
  const rule = RULES.get(key);
  if (!rule || (rule.only !== undefined && rule.only !== type)) return undefined;
  const { names, anyCase = false, numbersTo } = rule;
  const reading = readNumber(value);
  if (numbersTo !== undefined && 'value' in reading && reading.value >= 0n && reading.value <= BigInt(numbersTo)) return undefined;
  if (names.includes(anyCase ? value.toLowerCase() : value)) return undefined;
  return `${key} "${value}": xl knows ${names.join(', ')}`;
}

function cpuListFault(key: string, value: string): string | undefined {
  const parts = value.split(',').filter((part) => part !== '');
  const wrong = parts.find((part) => !isCpuRange(part));
  return wrong === undefined ? undefined : `${key}: "${wrong}" is no range of processors, such as 0-3, ^2, nodes:1 or all`;
}

function isCpuRange(part: string): boolean {
  const [, from, to] = /^\^?(?:nodes?:)?(?:\s*[+-]?([0-9]{1,18})(?:-\s*[+-]?([0-9]{1,18}))?)$/.exec(part) ?? [];
  if (from === undefined) return /^(?:nodes?:)?all$/.test(part);
  return to === undefined || Number(to) >= Number(from);
}

/** xl compares only as many letters as the value has: it takes `p` for pv, and an empty value for hvm. */
export function guestType(key: 'type' | 'builder', value: string): GuestType | undefined {
  const names: readonly [string, GuestType][] =
    key === 'type'
      ? [
          ['hvm', 'hvm'],
          ['pv', 'pv'],
          ['pvh', 'pvh'],
        ]
      : [
          ['hvm', 'hvm'],
          ['generic', 'pv'],
        ];
  return names.find(([name]) => name.startsWith(value))?.[1];
}
