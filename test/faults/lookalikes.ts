/** Things of a guest's name that somebody made by hand: an order is refused, and they stay as they are, byte for byte. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { guestPaths, guestVolumes } from '../guest-places.ts';
import { volumeTags } from '../../activities/dom0/storage/lvm/tags.ts';
import { cfgHeader, markerText } from '../../activities/dom0/marks.ts';
import { CONTROL_QUEUE, nightlyScheduleId } from '../../contract/names.ts';
import { booksOf, emptyComplaints, heldComplaints } from './books.ts';
import type { Case, Verdict } from './case.ts';
import { asBefore } from './invariants.ts';
import { undo } from './perform.ts';
import { Scenario } from './scenario.ts';
import { failureOf, type Server } from './server.ts';
import { beforeOf } from './step-faults.ts';
import { GUEST, undoOfBackup } from './tape.ts';
import { orderOf, settingsOf, World } from './world.ts';
import type { WorkflowMatrix } from './workflow-faults.ts';

/** Puts something of this guest's name there. `owner`: it carries a mark, but another order's. */
type Make = (world: World, name: string, owner?: { guest: string; order: string }) => void;

function directory(kind: 'images' | 'backups' | 'state'): Make {
  return (world, name, owner) => {
    const path = guestPaths(world.settings, name)[kind];
    mkdirSync(world.dom0.machine.at(path), { recursive: true });
    world.dom0.machine.writeText(`${path}/notes.txt`, 'made by hand\n');
    if (owner !== undefined) world.dom0.machine.writeText(`${path}/guestflow.json`, markerText(owner));
  };
}

function volume(kind: 'root' | 'swap' | 'snapshot'): Make {
  return (world, name, owner) => {
    const { state } = world.dom0;
    state.volumes.push({
      name: guestVolumes(name)[kind],
      extents: 25,
      tags: owner === undefined ? ['by-hand'] : volumeTags(owner),
      content: { residue: ['somebody'] },
      hidden: [],
      dataPercent: 0,
      invalid: false,
      minor: state.nextMinor,
    });
    state.nextMinor += 1;
  };
}

function runDomain(world: World, name: string): void {
  const { state } = world.dom0;
  state.domains.push({
    id: state.nextDomainId,
    name,
    cfgPath: '/root/by-hand.cfg',
    memoryMiB: 256,
    vcpus: 1,
    disks: [],
    kernel: '/boot/vmlinuz-6.1.0-49-amd64',
    bridges: [],
    onCrash: 'destroy',
    state: 'running',
    startedAt: 0,
    looksLeft: 0,
    booted: true,
    liveSysctl: {},
  });
  state.nextDomainId += 1;
}

const makeCfg: Make = (world, name, owner) => {
  world.dom0.machine.writeText(
    guestPaths(world.settings, name).cfg,
    `${owner === undefined ? '# by hand' : cfgHeader(owner)}\nname = '${name}'\nmemory = 64\n`,
  );
};

function linkToCfg(world: World, name: string): void {
  const { cfg, autostart } = guestPaths(world.settings, name);
  symlinkSync(cfg, world.dom0.machine.at(autostart));
}

const THINGS: Readonly<Record<string, Make>> = {
  cfg: makeCfg,
  'root volume': volume('root'),
  'swap volume': volume('swap'),
  'volume of the snapshot’s name': volume('snapshot'),
  'image directory': directory('images'),
  'backup directory': directory('backups'),
  'state directory': directory('state'),
  'running domain': runDomain,
  'autostart link': (world, name) => {
    symlinkSync('/root/by-hand.cfg', world.dom0.machine.at(guestPaths(world.settings, name).autostart));
  },
  'autostart file': (world, name) => {
    world.dom0.machine.writeText(guestPaths(world.settings, name).autostart, 'by hand\n');
  },
  // The pair that people make: it is named as guestflow names its own.
  'cfg and link to it': (world, name, owner) => {
    makeCfg(world, name, owner);
    linkToCfg(world, name);
  },
  'link to a cfg that is missing': linkToCfg,
};

/** Things that stand where another one does: of these, one at a time. */
const AT_THE_LINK = ['autostart link', 'autostart file', 'cfg and link to it', 'link to a cfg that is missing'];

/** Things that can be marked as another order's. */
const MARKABLE = [
  'cfg',
  'root volume',
  'swap volume',
  'volume of the snapshot’s name',
  'image directory',
  'backup directory',
  'state directory',
  'cfg and link to it',
];

async function refused(server: Server, name: string): Promise<string[]> {
  const failure = await server
    .handle(name)
    .result()
    .then(
      () => undefined,
      (error: unknown) => failureOf(error),
    );
  return failure?.type === 'NotOurs'
    ? []
    : [`the order was not refused as NotOurs: ${failure === undefined ? 'it succeeded' : `${failure.type}: ${failure.message}`}`];
}

/** A dom0 with nothing but what `make` makes. */
async function aloneOn(host: string, make: (world: World) => void): Promise<ReturnType<World['snapshot']>> {
  const world = await World.create(host);
  make(world);
  const snapshot = world.snapshot();
  world.close();
  return snapshot;
}

let serial = 0;

/** An order that finds the thing there, or has it made before the call `key`. */
function orderCase(matrix: WorkflowMatrix, thing: string, owner: 'nobody' | 'another order', key?: string): Case {
  return {
    name: `look-alike/${thing}/${owner === 'nobody' ? 'without a mark' : 'marked by another order'}${key === undefined ? '' : `/made before ${key}`}`,
    async run(): Promise<Verdict> {
      serial += 1;
      const name = `alike${String(serial)}`;
      const mark = owner === 'nobody' ? undefined : { guest: name, order: 'another' };
      const make = (world: World): void => {
        THINGS[thing]?.(world, name, mark);
      };
      const host = matrix.hosts[serial % matrix.hosts.length] ?? '';
      const scenario = await Scenario.create(matrix, name, host, {
        before: ({ key: at, call }) => {
          if (at === key && call.attempt === 1) make(scenario.world);
        },
      });
      try {
        if (key === undefined) make(scenario.world);
        const before = key === undefined ? scenario.world.snapshot() : await aloneOn(host, make);
        await matrix.server.place(orderOf(name, host));
        const answer = await refused(matrix.server, name);
        const left = asBefore(before, scenario.world.snapshot(), scenario.world.settings);
        return { end: 'refused', complaints: [...answer, ...left, ...emptyComplaints(await booksOf(matrix.server, host, name))] };
      } finally {
        await scenario.end();
      }
    },
  };
}

/** Things that appear while the order is under way, before the call that would make its own. */
const MADE_MEANWHILE: readonly (readonly [thing: string, key: string])[] = [
  ['image directory', 'createImage#1'],
  ['state directory', 'createImage#1'],
  ['cfg', 'fixCfg#1'],
  ['cfg and link to it', 'fixCfg#1'],
  ['root volume', 'makeVolumes#1'],
  ['swap volume', 'makeVolumes#1'],
  ['autostart link', 'enableAutostart#1'],
  ['autostart file', 'enableAutostart#1'],
];

/** Things that the first backup finds in its way. The guest is there, says so, and tries again. */
const IN_THE_WAY_OF_BACKUPS = ['backup directory', 'volume of the snapshot’s name'];

function firstBackupCase(matrix: WorkflowMatrix, thing: string): Case {
  return {
    name: `look-alike/${thing}/without a mark/made before takeBackup#1`,
    async run(): Promise<Verdict> {
      serial += 1;
      const name = `alike${String(serial)}`;
      const host = matrix.hosts[serial % matrix.hosts.length] ?? '';
      let before: ReturnType<World['snapshot']> | undefined;
      const scenario = await Scenario.create(matrix, name, host, {
        before: ({ key, scenario: { world } }) => {
          if (key !== 'takeBackup#1' || before !== undefined) return;
          THINGS[thing]?.(world, name, undefined);
          before = world.snapshot();
        },
      });
      try {
        await matrix.server.place(orderOf(name, host));
        const { phase, warnings, backups, firstBackupAt } = await matrix.server.settled(name);
        const said = `${phase}, ${String(backups.length)} backups, next at ${firstBackupAt ?? 'no time'}: ${warnings.join(', ')}`;
        const isSaid =
          phase === 'running' && backups.length === 0 && firstBackupAt !== undefined && /it has no backup yet/.test(warnings.join());
        const left = before === undefined ? ['no backup was tried'] : asBefore(before, scenario.world.snapshot(), scenario.world.settings);
        return { end: 'refused', complaints: [...(isSaid ? [] : [said]), ...left] };
      } finally {
        await scenario.end();
      }
    },
  };
}

function scheduleCase(matrix: WorkflowMatrix): Case {
  return {
    name: 'look-alike/schedule/without a mark',
    async run(): Promise<Verdict> {
      const name = 'alike-schedule';
      const host = matrix.hosts[0] ?? '';
      const { schedule } = matrix.server.client;
      const handle = await schedule.create({
        scheduleId: nightlyScheduleId(name),
        spec: { calendars: [{ hour: 12 }] },
        state: { paused: true, note: 'by hand' },
        action: { type: 'startWorkflow', workflowType: 'somebodys', taskQueue: CONTROL_QUEUE, workflowId: 'by-hand' },
      });
      const look = async (): Promise<string> => {
        const { spec, state, memo, action } = await handle.describe();
        return JSON.stringify({ spec, note: state.note, paused: state.paused, memo, action });
      };
      const before = await look();
      const scenario = await Scenario.create(matrix, name, host, {});
      try {
        const snapshot = scenario.world.snapshot();
        await matrix.server.place(orderOf(name, host));
        const answer = await refused(matrix.server, name);
        const after = await look().catch(() => 'gone');
        return {
          end: 'refused',
          complaints: [
            ...answer,
            ...(after === before ? [] : [`the schedule has changed: ${after}`]),
            ...asBefore(snapshot, scenario.world.snapshot(), scenario.world.settings),
            ...heldComplaints(await booksOf(matrix.server, host, name)),
          ],
        };
      } finally {
        await handle.delete();
        await scenario.end();
      }
    },
  };
}

/** What can be there at the same time: each thing in at least one set. */
function sets(): { readonly name: string; readonly things: readonly string[] }[] {
  const rest = Object.keys(THINGS).filter((thing) => !AT_THE_LINK.includes(thing));
  return [
    { name: 'all of them', things: [...rest, 'autostart link'] },
    { name: 'all, and a link to the cfg', things: [...rest.filter((thing) => thing !== 'cfg'), 'cfg and link to it'] },
    { name: 'all but the cfg, and a link to it', things: [...rest.filter((thing) => thing !== 'cfg'), 'link to a cfg that is missing'] },
  ];
}

/** Every undo and the whole cleanup, on a dom0 where somebody has all of these: nothing changes. */
function handsOffCases(matrix: WorkflowMatrix): Case[] {
  const entries = [
    ...new Map(
      [...matrix.tape.undo.flat(), ...matrix.tape.cleanup, undoOfBackup(matrix.tape)].map((entry) => [entry.activity, entry]),
    ).values(),
  ].filter(({ isControl }) => !isControl);
  return (['nobody', 'another order'] as const).flatMap((owner) =>
    sets().flatMap(({ name, things }) =>
      entries.map((entry): Case => ({
        name: `look-alike/${name}/${owner === 'nobody' ? 'without a mark' : 'marked by another order'}/${entry.activity}`,
        run: () =>
          matrix.stages.on(matrix.start, matrix.host, async (world) => {
            const mark = owner === 'nobody' ? undefined : { guest: GUEST, order: 'another' };
            for (const thing of things) THINGS[thing]?.(world, GUEST, MARKABLE.includes(thing) ? mark : undefined);
            const before = world.snapshot();
            await undo(world, [entry]);
            return {
              end: 'refused',
              complaints: asBefore({ ...before, loops: beforeOf(matrix).loops }, world.snapshot(), settingsOf(matrix.host)),
            };
          }),
      })),
    ),
  );
}

/** All look-alikes; those that go through Temporal, and those that do not. */
export function lookAlikeCases(matrix: WorkflowMatrix): { slow: Case[]; quick: Case[] } {
  return {
    slow: [
      ...Object.keys(THINGS).map((thing) => orderCase(matrix, thing, 'nobody')),
      ...MARKABLE.map((thing) => orderCase(matrix, thing, 'another order')),
      ...MADE_MEANWHILE.map(([thing, key]) => orderCase(matrix, thing, 'nobody', key)),
      ...IN_THE_WAY_OF_BACKUPS.map((thing) => firstBackupCase(matrix, thing)),
      scheduleCase(matrix),
    ],
    quick: handsOffCases(matrix),
  };
}
