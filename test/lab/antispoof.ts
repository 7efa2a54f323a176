/** A guest of the lab that takes its neighbour's address, and the dom0 with the rules that keep it from that. */
import { inGuest, onDom0 } from './guests.ts';
import type { Rig } from './rig.ts';
import { SETTINGS, withSettings } from './settings.ts';

/** A guest, and the address that is its own. */
export interface Neighbour {
  readonly name: string;
  readonly ip: string;
}

const GATEWAY = '192.168.77.1';
const BRIDGE = 'xenbr0';

/** How many frames `CLAIM` sends. */
export const CLAIMS = 40;

/** Says for ten seconds, by ARP (RFC 826), to all that hear it: the address of the first argument is at the MAC of eth0. Numbers, since a guest has no perl modules but the base's. */
const CLAIM = String.raw`
my ($ip) = @ARGV;
sub of { open(my $file, "<", "/sys/class/net/eth0/$_[0]") or die "$_[0]: $!"; my $line = <$file>; chomp $line; $line }
my $mac = pack("H12", join("", split(/:/, of("address"))));
my $address = pack("C4", split(/\./, $ip));
my $all = "\xff" x 6;
# AF_PACKET, SOCK_RAW, ETH_P_ARP; then a struct sockaddr_ll.
socket(my $raw, 17, 3, 0x0608) or die "socket: $!";
my $to = pack("SnlSCCa8", 17, 0x0806, of("ifindex"), 1, 0, 6, $all);
for my $round (1 .. 20) {
  for my $operation (1, 2) {
    my $arp = pack("nnCCn", 1, 0x0800, 6, 4, $operation) . $mac . $address . $all . $address;
    defined(send($raw, $all . $mac . pack("n", 0x0806) . $arp, 0, $to)) or die "send: $!";
  }
  select(undef, undef, undef, 0.5);
}
`;

/** What came of a claim: the MACs at which dom0 took the address to be meanwhile; whether the gateway `answers` the one who claimed it, or `is silent`. */
export interface Claimed {
  readonly macs: readonly string[];
  readonly gateway: string;
}

/** Has a guest take another one's address, which it keeps until `giveBack`. */
export async function claimAddress(rig: Rig, { name, ip: own }: Neighbour, ip: string): Promise<Claimed> {
  await forgetNeighbour(rig, ip);
  await onDom0(rig, `ping -c 1 -W 20 ${ip}`);
  const [macs, said] = await Promise.all([
    onDom0(
      rig,
      `for look in $(seq 80); do ip neigh show to ${ip} dev ${BRIDGE}; sleep 0.5; done | sed -n 's/.* lladdr \\([0-9a-f:]*\\).*/\\1/p' | sort -u`,
      300_000,
    ),
    inGuest(
      rig,
      { name },
      own,
      `set -e
ip address add ${ip}/32 dev eth0
perl - ${ip} << 'END'
${CLAIM}
END
if ping -I ${ip} -c 3 -W 2 ${GATEWAY} > /dev/null; then echo answers; else echo is silent; fi`,
    ),
  ]);
  return { macs: macs.trim().split('\n'), gateway: said.trim() };
}

/** The guest has its own address only, and dom0 asks anew where the other one is. */
export async function giveBack(rig: Rig, { name, ip: own }: Neighbour, ip: string): Promise<void> {
  await inGuest(rig, { name }, own, `ip address delete ${ip}/32 dev eth0`);
  await forgetNeighbour(rig, ip);
}

/** dom0 asks anew where the address is when it next sends there. */
export async function forgetNeighbour(rig: Rig, ip: string): Promise<void> {
  await onDom0(rig, `ip neigh flush to ${ip} dev ${BRIDGE}`);
}

/** How many frames of the domain the rules have refused. */
export async function refusedOf(rig: Rig, id: number): Promise<number> {
  const said = await onDom0(rig, `nft list counter bridge guestflow refused-vif${String(id)}.0`);
  const [, packets] = /packets (\d+)/.exec(said) ?? [];
  if (packets === undefined) throw new Error(`nft does not count what is refused of domain ${String(id)}: ${said}`);
  return Number(packets);
}

/** While something is done, the dom0 is set to have guests send from their own addresses only. What guests' cfgs say then stays. */
export async function withAntispoof<T>(rig: Rig, work: () => Promise<T>): Promise<T> {
  const script = `sed -i 's/^network: {\\(.*\\)}$/network: {\\1, antispoof: true}/' ${SETTINGS}; grep -q 'antispoof: true' ${SETTINGS}`;
  return await withSettings(rig, script, work);
}
