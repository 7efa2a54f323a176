/** nftables, which the vif script of guests sets rules with: looked at, never changed. */
import type { Host } from '../../../system/host.ts';

/** One of each kind that the script makes (deploy/dom0/vif-guestflow). */
const RULES = `table bridge guestflow-check {
  map senders { type ifname : verdict ; }
  map receivers { type ifname : counter ; }
  chain prerouting { type filter hook prerouting priority -310 ; policy accept ; iifname vmap @senders ; }
}
`;

/** Has the kernel check rules for bridges, and makes none. @throws ToolError when it has no such rules */
export async function checkRules(host: Host): Promise<void> {
  await host.run('nft', ['--check', '--file', '-'], { input: RULES });
}

/** The interfaces whose guests have rules; none where the script has set none yet. */
export async function vifsWithRules(host: Host): Promise<Set<string>> {
  const { code, stdout } = await host.run('nft', ['--json', 'list', 'map', 'bridge', 'guestflow', 'senders'], { okCodes: [0, 1] });
  return code === 0 ? vifsIn(stdout) : new Set();
}

/** The interfaces in nft's JSON of the map `senders`. */
export function vifsIn(json: string): Set<string> {
  const { nftables } = JSON.parse(json) as { nftables: readonly { map?: { elem?: readonly (readonly [string, unknown])[] } }[] };
  return new Set(nftables.flatMap(({ map }) => (map?.elem ?? []).map(([name]) => name)));
}
