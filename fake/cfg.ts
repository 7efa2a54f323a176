/** A cfg as the fake's `xl` reads it: by the project's own parser, which was made after libxlutil. */
import { CfgError, parseCfg, showCfg, type ShownCfg } from '../xlcfg/index.ts';
import type { Machine } from './machine.ts';
import type { FakeDisk } from './model.ts';
import { failed, type ToolOutput } from './tool.ts';

/** The exit code of `xl create` if libxl could not make the domain. If the cfg cannot be parsed, it is 1. */
export const XL_FAILED = 3;

export interface FakeCfg {
  readonly name: string;
  readonly type: string;
  /** undefined: xl has dropped it. */
  readonly memory: number | undefined;
  readonly memoryMiB: number;
  readonly maxMemMiB: number | undefined;
  readonly vcpus: number;
  readonly maxVcpus: number;
  readonly kernel: string;
  readonly ramdisk: string;
  readonly root: string;
  readonly extra: string;
  readonly onCrash: string;
  readonly disks: FakeDisk[];
  readonly vifs: readonly {
    readonly mac: string;
    readonly bridge: string;
    readonly ip: string | undefined;
    readonly script: string | null;
    readonly rate: string | null;
  }[];
  /** What xl says on standard error and goes on. */
  readonly warnings: readonly string[];
}

/** What xl prints for what it drops; of unknown keys it says nothing. */
function warningsOf(path: string, shown: ShownCfg): string[] {
  const mode = shown.keys['tsc_mode'];
  // tools/xl/xl_parse.c says of a legal value what it has read.
  const read = typeof mode === 'string' ? [`got a tsc mode string: "${mode}"`] : [];
  const dropped = shown.problems
    .filter(({ effect }) => effect === 'dropped')
    .flatMap(({ key, line, reason }) => {
      if (/^"(.*)" is no vif setting/.test(reason)) return [`unrecognized argument \`${/^"(.*)" is no vif/.exec(reason)?.[1] ?? ''}'`];
      if (/must be a list/.test(reason))
        return [`${path}:${String(line)}: warning: parameter \`${key}' is a single value but should be a list`];
      if (/not a list$/.test(reason))
        return [`${path}:${String(line)}: warning: parameter \`${key}' is a list but should be a single value`];
      return /xl goes on without any/.test(reason) ? [`${path}:${String(line)}: warning: parameter \`${key}' is not a valid number`] : [];
    });
  return [...read, ...dropped];
}

function asRead(path: string, shown: ShownCfg, bridge: string): FakeCfg {
  const text = (key: string, otherwise: string): string =>
    typeof shown.keys[key] === 'string' || typeof shown.keys[key] === 'number' ? String(shown.keys[key]) : otherwise;
  const number = (key: string): number | undefined => (typeof shown.keys[key] === 'number' ? shown.keys[key] : undefined);
  return {
    name: text('name', ''),
    type: text('type', 'pv'),
    memory: number('memory'),
    memoryMiB: number('memory') ?? 32,
    maxMemMiB: number('maxmem'),
    vcpus: number('vcpus') ?? 1,
    maxVcpus: number('maxvcpus') ?? number('vcpus') ?? 1,
    kernel: text('kernel', ''),
    ramdisk: text('ramdisk', ''),
    root: text('root', ''),
    extra: text('extra', ''),
    onCrash: text('on_crash', 'destroy'),
    disks: shown.disks.flatMap(({ target, vdev, access }) =>
      target === null || vdev === null ? [] : [{ vdev, source: target, writable: access === 'rw' }],
    ),
    vifs: shown.vifs.map((vif) => ({
      mac: (vif.mac ?? '00:16:3e:00:00:01').toLowerCase(),
      bridge: vif.bridge ?? bridge,
      ip: /(?:^|,) *ip=([^,]*)/.exec(vif.raw)?.[1],
      script: vif.script,
      rate: vif.rate,
    })),
    warnings: warningsOf(path, shown),
  };
}

/** Reads a cfg file of the dom0, or says in xl's words why it cannot be used. */
export function readCfg(machine: Machine, path: string): FakeCfg | ToolOutput {
  const text = machine.readText(path);
  if (text === undefined) return failed(XL_FAILED, `Failed to read config file: ${path}: No such file or directory`);
  const parsing = `Parsing config from ${path}`;
  try {
    const shown = showCfg(parseCfg(Buffer.from(text, 'latin1')));
    const refused = shown.problems.find(({ effect }) => effect === 'refused');
    if (refused !== undefined) return failed(1, parsing, refused.reason);
    const cfg = asRead(path, shown, machine.options.network.bridge);
    if (cfg.name === '') return failed(1, parsing, 'Domain name must be specified.');
    return cfg.kernel === '' ? failed(1, parsing, 'Neither kernel nor bootloader specified') : cfg;
  } catch (error) {
    if (!(error instanceof CfgError)) throw error;
    return failed(
      1,
      parsing,
      `${path}:${String(error.line)}: config parsing error near line ${String(error.line)}: syntax error`,
      'Failed to parse config: Invalid argument',
    );
  }
}

export function isCfg(cfg: FakeCfg | ToolOutput): cfg is FakeCfg {
  return 'name' in cfg;
}

/** As libxlutil counts a rate without an interval of its own, which is the only kind that guestflow writes. */
function bytesPerInterval(rate: string): number {
  const [, count = '', unit = '', size] = /^([0-9]+)([GMK]?)([Bb])\/s$/.exec(rate) ?? [];
  const number = BigInt(count === '' ? 0 : count) * 10n ** BigInt(3 * ' KMG'.indexOf(unit === '' ? ' ' : unit));
  return Number(((size === 'b' ? number / 8n : number) * 50_000n) / 1_000_000n);
}

/** What `xl -N create` prints: the configuration as libxl has it. */
export function configJson(cfg: FakeCfg): string {
  const cmdline = [cfg.root === '' ? '' : `root=${cfg.root}`, cfg.extra].filter((words) => words !== '').join(' ');
  return `${JSON.stringify(
    {
      c_info: { type: cfg.type, name: cfg.name, uuid: '00000000-0000-0000-0000-000000000000', run_hotplug_scripts: 'True' },
      b_info: {
        max_vcpus: cfg.maxVcpus,
        avail_vcpus: Array.from({ length: cfg.vcpus }, (_, index) => index),
        ...(cfg.memory === undefined ? {} : { max_memkb: (cfg.maxMemMiB ?? cfg.memory) * 1024, target_memkb: cfg.memory * 1024 }),
        kernel: cfg.kernel,
        ...(cmdline === '' ? {} : { cmdline }),
        ...(cfg.ramdisk === '' ? {} : { ramdisk: cfg.ramdisk }),
        [`type.${cfg.type}`]: {},
      },
      disks: cfg.disks.map(({ source, vdev, writable }) => ({ pdev_path: source, vdev, format: 'raw', readwrite: writable ? 1 : 0 })),
      nics: cfg.vifs.map(({ mac, bridge, ip, script, rate }, devid) => ({
        devid,
        mac,
        bridge,
        ...(ip === undefined ? {} : { ip }),
        ...(script === null ? {} : { script }),
        ...(rate === null ? {} : { rate_bytes_per_interval: bytesPerInterval(rate), rate_interval_usecs: 50_000 }),
      })),
      on_reboot: 'restart',
      on_crash: cfg.onCrash,
    },
    undefined,
    4,
  )}\n`;
}
