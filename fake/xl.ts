/** `xl` of the fake dom0. */
import { configJson, isCfg, readCfg } from './cfg.ts';
import { createDomain, removeDomain, settleDomains, shutDown } from './domains.ts';
import { DOM0_MEMORY_MIB, KERNEL_RELEASE, type Machine } from './machine.ts';
import type { FakeDomain } from './model.ts';
import { DONE, failed, matchArgs, type Invocation, type ToolOutput, type ToolTable } from './tool.ts';

const STATES = { running: '-b----', paused: '--p---', 'shutting-down': '---s--', dying: '---s-d' } as const;

function listRow(name: string, id: number, memory: number, vcpus: number, state: string, seconds: number): string {
  return `${name.padEnd(40)} ${String(id).padStart(5)} ${String(memory).padStart(5)} ${String(vcpus).padStart(5)}     ${state}  ${seconds.toFixed(1).padStart(8)}\n`;
}

function list(machine: Machine): ToolOutput {
  settleDomains(machine, 1);
  const rows = machine.state.domains.map((domain) => {
    const isHalfGone = domain.state === 'dying';
    const state = domain.state === 'running' && !domain.booted && domain.onCrash === 'preserve' ? '----c-' : STATES[domain.state];
    return listRow(isHalfGone ? '(null)' : domain.name, domain.id, isHalfGone ? 0 : domain.memoryMiB, domain.vcpus, state, 1);
  });
  return {
    code: 0,
    stdout: `Name                                        ID   Mem VCPUs\tState\tTime(s)\n${listRow('Domain-0', 0, DOM0_MEMORY_MIB, machine.options.cpus, 'r-----', 63.2)}${rows.join('')}`,
  };
}

function info(machine: Machine): ToolOutput {
  const { options } = machine;
  const rows: [string, string | number][] = [
    ['host', options.host],
    ['release', KERNEL_RELEASE],
    ['version', '#1 SMP PREEMPT_DYNAMIC Debian 6.1.0-49'],
    ['machine', 'x86_64'],
    ['nr_cpus', options.cpus],
    ['max_cpu_id', options.cpus - 1],
    ['nr_nodes', 1],
    ['cores_per_socket', 1],
    ['threads_per_core', 1],
    ['cpu_mhz', '2500.000'],
    ['virt_caps', 'pv hvm'],
    ['total_memory', options.memoryMiB],
    ['free_memory', machine.freeMemoryMiB()],
    ['sharing_freed_memory', 0],
    ['free_cpus', 0],
    ['xen_major', 4],
    ['xen_minor', 17],
    ['xen_extra', '.7'],
    ['xen_version', '4.17.7'],
    ['xen_caps', 'xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_64'],
    ['xen_scheduler', 'credit2'],
  ];
  return { code: 0, stdout: rows.map(([name, value]) => `${name.padEnd(23)}: ${String(value)}\n`).join('') };
}

/** What xl says of an id that no domain has. */
function noSuchDomain(verb: string, id: number): ToolOutput {
  const words: Record<string, string[]> = {
    shutdown: ['shutdown failed (rc=-6)'],
    destroy: [
      `libxl: error: libxl_domain.c:1157:libxl__destroy_domid: Domain ${String(id)}:Non-existant domain`,
      `libxl: error: libxl_domain.c:1111:domain_destroy_callback: Domain ${String(id)}:Unable to destroy guest`,
      `libxl: error: libxl_domain.c:1038:domain_destroy_cb: Domain ${String(id)}:Destruction of domain failed`,
    ],
  };
  const said = words[verb];
  // xl does not look whether pausing or going on has worked.
  if (said === undefined)
    return {
      code: 0,
      stderr: `libxl: error: libxl_domain.c:1:libxl_domain_${verb}: Domain ${String(id)}:${verb} failed: No such process\n`,
    };
  return failed(1, ...said);
}

function act(machine: Machine, verb: string, id: number): ToolOutput {
  settleDomains(machine, 0);
  const domain = machine.domainById(id);
  if (domain === undefined) return noSuchDomain(verb, id);
  if (verb === 'destroy') destroy(machine, domain);
  else if (verb === 'shutdown') shutDown(machine, domain);
  else if (domain.state === 'running' || domain.state === 'paused') domain.state = verb === 'pause' ? 'paused' : 'running';
  return DONE;
}

function destroy(machine: Machine, domain: FakeDomain): void {
  if (machine.options.shutdownPolls === 0) {
    removeDomain(machine, domain);
    return;
  }
  domain.state = 'dying';
  domain.looksLeft = 1;
  domain.startedAt = machine.now();
}

function vcpuList(machine: Machine): ToolOutput {
  const row = (name: string, id: number, vcpu: number, online: boolean): string =>
    `${name.padEnd(32)} ${String(id).padStart(5)} ${String(vcpu).padStart(5)} ${online ? '   0   -b-' : '   -   --p'} ${'1.0'.padStart(9)}  all / all\n`;
  const rows = machine.state.domains
    .filter(({ state }) => state !== 'dying')
    .flatMap(({ name, id, vcpus, maxVcpus = vcpus }) => Array.from({ length: maxVcpus }, (_, vcpu) => row(name, id, vcpu, vcpu < vcpus)));
  const own = Array.from({ length: machine.options.cpus }, (_, vcpu) => row('Domain-0', 0, vcpu, true));
  return {
    code: 0,
    stdout: `Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n${[...own, ...rows].join('')}`,
  };
}

/** The guest follows at once, as far as Xen has memory for it, unless it never does. xl itself does not look what is free. */
function setMemory(machine: Machine, id: number, mib: number): ToolOutput {
  const domain = machine.domainById(id);
  if (domain === undefined)
    return failed(
      1,
      `libxl: error: libxl_mem.c:1:libxl_set_memory_target: Domain ${String(id)}:cannot get target memory info from /local/domain/${String(id)}/memory/target: No such file or directory`,
    );
  if (mib > (domain.maxMemoryMiB ?? domain.memoryMiB))
    return failed(
      1,
      `libxl: error: libxl_mem.c:1:libxl_set_memory_target: Domain ${String(id)}:memory_dynamic_max must be less than or equal to memory_static_max`,
    );
  if (!machine.conditions.guestsDoNotFollow) domain.memoryMiB = Math.min(mib, domain.memoryMiB + machine.freeMemoryMiB());
  return DONE;
}

function setVcpus(machine: Machine, id: number, count: number): ToolOutput {
  const domain = machine.domainById(id);
  if (domain === undefined) return failed(1, `Domain ${String(id)} does not exist.`);
  const most = domain.maxVcpus ?? domain.vcpus;
  if (count > most)
    return failed(
      1,
      `libxl: error: libxl_domain.c:1:libxl_set_vcpuonline: Domain ${String(id)}:Requested ${String(count)} VCPUs, however maxcpus is ${String(most)}!`,
      `libxl_set_vcpuonline failed domid=${String(id)} max_vcpus=${String(count)}, rc: -3`,
    );
  if (!machine.conditions.guestsDoNotFollow) domain.vcpus = count;
  return DONE;
}

function adjust({ machine, args }: Invocation): ToolOutput | undefined {
  if (matchArgs(args, 'vcpu-list') !== undefined) return vcpuList(machine);
  const memory = matchArgs(args, 'mem-set <id> <mib>m');
  if (memory !== undefined) return setMemory(machine, Number(memory['id']), Number(memory['mib']));
  const vcpus = matchArgs(args, 'vcpu-set --ignore-host <id> <count>');
  return vcpus === undefined ? undefined : setVcpus(machine, Number(vcpus['id']), Number(vcpus['count']));
}

function xl({ machine, args }: Invocation): ToolOutput | undefined {
  if (matchArgs(args, 'list') !== undefined) return list(machine);
  if (matchArgs(args, 'info') !== undefined) return info(machine);
  const path = matchArgs(args, '-N create <path>')?.['path'];
  if (path !== undefined) {
    const cfg = readCfg(machine, path);
    return isCfg(cfg)
      ? { code: 0, stdout: configJson(cfg), stderr: [`Parsing config from ${path}`, ...cfg.warnings].map((line) => `${line}\n`).join('') }
      : cfg;
  }
  const verb = args[0] ?? '';
  if (['vcpu-list', 'mem-set', 'vcpu-set'].includes(verb)) return adjust({ machine, args, tool: 'xl', input: '' });
  const id = ['shutdown', 'destroy', 'pause', 'unpause'].includes(verb) ? matchArgs(args, `${verb} <id>`)?.['id'] : undefined;
  return id === undefined || !/^[1-9]\d*$/.test(id) ? undefined : act(machine, verb, Number(id));
}

/** `xl create` in a scope of its own: outside of one, xl's monitor would end with the worker's unit. */
function systemdRun({ machine, args }: Invocation): ToolOutput | undefined {
  const path = matchArgs(args, '--scope --quiet --collect --slice=guestflow-guests.slice -- xl create <path>')?.['path'];
  if (path === undefined) return undefined;
  const cfg = readCfg(machine, path);
  if (!isCfg(cfg)) return cfg;
  settleDomains(machine, 0);
  return createDomain(machine, path, cfg);
}

/** Where libxl writes when a domain was started, in seconds. */
function xenstoreRead({ machine, args }: Invocation): ToolOutput | undefined {
  const key = matchArgs(args, '<key>')?.['key'];
  if (key === undefined) return undefined;
  const vm = (id: number): string => `/vm/00000000-0000-4000-8000-${String(id).padStart(12, '0')}`;
  for (const { id, startedAt } of machine.state.domains) {
    if (key === `/local/domain/${String(id)}/vm`) return { code: 0, stdout: `${vm(id)}\n` };
    if (key === `${vm(id)}/start_time`) return { code: 0, stdout: `${(startedAt / 1000).toFixed(2)}\n` };
  }
  return failed(1, `xenstore-read: couldn't read path ${key}`);
}

export const XL_TOOLS: ToolTable = {
  'xenstore-read': { start: xenstoreRead },
  xl: { start: xl },
  'systemd-run': { seconds: () => 2, start: systemdRun },
};
