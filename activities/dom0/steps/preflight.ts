/** preflight: what a dom0 needs, found or missing, with the command that mends it (rows 1, 2, 4, 8 and 13 of the how-to). */
import type { PreflightReport, PreflightRow } from '../../../contract/dom0.ts';
import type { StepEnv } from '../env.ts';
import { machinePreflight } from '../machine/preflight.ts';
import { prepareMachine } from '../machine/prepare.ts';
import { antispoofRow } from '../network/antispoof-preflight.ts';
import { bridgeRow, routerRow } from '../network/preflight.ts';

/** The order of the rows: a row that others depend on comes first. A row that is not named here comes last. */
const ORDER = [
  'hypervisor',
  'tools',
  'bridge',
  'antispoof',
  'volume group',
  'thin pool',
  'disk directory',
  'image directory',
  'guest kernel',
  'loop devices',
  'xen-tools',
  'borg',
  'backup passphrase',
  'console log',
  'autostart',
  'saved states',
];

function report(env: StepEnv, rows: readonly PreflightRow[]): PreflightReport {
  const placeOf = ({ row }: PreflightRow): number => (ORDER.includes(row) ? ORDER.indexOf(row) : ORDER.length);
  return {
    host: env.settings.host,
    checkedAt: new Date().toISOString(),
    ok: rows.every((row) => row.state !== 'missing'),
    rows: [...rows].sort((a, b) => placeOf(a) - placeOf(b)),
  };
}

async function rowsForOrders(env: StepEnv): Promise<PreflightRow[]> {
  return [
    ...(await env.toolstack.preflight()),
    ...(await machinePreflight(env)),
    await bridgeRow(env),
    await antispoofRow(env),
    await env.storage.preflight(),
    ...(await env.repository.preflight()),
  ];
}

/** Looks at every row; changes nothing. */
export async function preflight(env: StepEnv): Promise<PreflightReport> {
  return report(env, [...(await rowsForOrders(env)), await routerRow(env)]);
}

/** Looks before an order, at every row but the router's: that takes seconds, and stops no order. */
export async function preflightOfOrder(env: StepEnv): Promise<PreflightReport> {
  return report(env, await rowsForOrders(env));
}

/** Puts right what is safe to put right. Returns what it finds afterwards. */
export async function prepare(env: StepEnv): Promise<PreflightReport> {
  await prepareMachine(env);
  await env.repository.prepare();
  return await preflight(env);
}
