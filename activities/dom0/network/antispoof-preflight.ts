/** Whether guests are kept from using their neighbours' addresses: a row of the preflight. */
import type { PreflightRow } from '../../../contract/dom0.ts';
import { ToolError } from '../../../system/run.ts';
import { CfgError, parseCfg, showCfg, type VifSpec } from '../../../xlcfg/index.ts';
import type { StepEnv } from '../env.ts';
import { missing, ok, warning } from '../preflight-rows.ts';
import { isInstalled } from '../tools/installed.ts';
import { checkRules, vifsWithRules } from '../tools/nft.ts';
import { ANTISPOOF_PATH, hasAntispoof } from './antispoof.ts';

const ROW = 'antispoof';
/** More names than these are counted. */
const MOST_NAMED = 5;

function named(guests: readonly string[]): string {
  const rest = guests.length - MOST_NAMED;
  return [...guests.slice(0, MOST_NAMED), ...(rest > 0 ? [`${String(rest)} more`] : [])].join(', ');
}

/** A guest of ours, and what the vif of its cfg says. */
interface GuestVif {
  readonly guest: string;
  readonly isNamed: boolean;
  readonly vifname: string | null;
}

/** No guest can start from a file that cannot be read. */
function firstVif(cfg: Buffer): VifSpec | undefined {
  try {
    return showCfg(parseCfg(cfg)).vifs[0];
  } catch (error) {
    if (error instanceof CfgError) return undefined;
    throw error;
  }
}

async function guestVifs({ toolstack }: StepEnv): Promise<GuestVif[]> {
  const found: GuestVif[] = [];
  for (const { bytes, owner } of await toolstack.cfgs()) {
    if (owner === undefined) continue;
    const vif = firstVif(bytes);
    if (vif !== undefined) found.push({ guest: owner.guest, isNamed: hasAntispoof(vif.script), vifname: vif.vifname });
  }
  return found;
}

/** Why no guest could start with the script; undefined if it could. */
async function whyNot({ host }: StepEnv): Promise<PreflightRow | undefined> {
  if (!(await isInstalled(host.files, '/usr/sbin/nft')))
    return missing(ROW, 'nft is missing: no guest would start', 'apt-get install nftables');
  if ((await host.files.info(ANTISPOOF_PATH)) === undefined)
    return missing(
      ROW,
      `no ${ANTISPOOF_PATH}: no guest would start`,
      `install the package guestflow-dom0, or deploy/dom0/vif-guestflow of a checkout as ${ANTISPOOF_PATH}, mode 0755`,
    );
  try {
    await checkRules(host);
    return undefined;
  } catch (error) {
    if (!(error instanceof ToolError) || error.cancelled) throw error;
    return missing(
      ROW,
      `nft cannot make rules for bridges: ${error.message}`,
      'boot a kernel with nf_tables for bridges, as Debian’s have',
    );
  }
}

/**
 * Off, it is a warning. On, it is `missing` where no guest could start, and a warning where a guest's cfg does not name the script yet, or a guest runs
 * without rules: it was started before, or all rules of nftables were flushed.
 */
export async function antispoofRow(env: StepEnv): Promise<PreflightRow> {
  if (!env.settings.network.antispoof)
    return warning(
      ROW,
      'off: a guest can use the addresses of its neighbours',
      'set antispoof: true under network in /etc/guestflow/dom0.yaml, and restart guestflow-dom0',
    );
  const reason = await whyNot(env);
  if (reason !== undefined) return reason;
  const vifs = await guestVifs(env);
  const unnamed = vifs.filter(({ isNamed }) => !isNamed).map(({ guest }) => guest);
  if (unnamed.length > 0)
    return warning(
      ROW,
      `the cfg of ${named(unnamed)} does not name the script`,
      `add script=vif-guestflow to its vif in /etc/xen/NAME.cfg (a change of plan does), then guestflow reboot NAME`,
    );
  const withRules = await vifsWithRules(env.host);
  const domains = await env.toolstack.domains();
  const bare = vifs.filter(({ guest, vifname }) => {
    const domain = domains.find(({ name, state }) => name === guest && state !== 'ending');
    return domain !== undefined && !withRules.has(vifname ?? `vif${String(domain.id)}.0`);
  });
  return bare.length === 0
    ? ok(ROW, 'on: each guest sends from its own addresses')
    : warning(
        ROW,
        `${named(bare.map(({ guest }) => guest))} runs without rules`,
        `${ANTISPOOF_PATH} refresh on the dom0, if all rules were flushed; guestflow reboot NAME, if it runs since before its cfg named the script`,
      );
}
