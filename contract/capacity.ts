/** What of a dom0 and of a network may be sold, as plain types. Sizes are bytes, times ISO 8601 in UTC. */

/** What a guest takes of a dom0. */
export interface Amounts {
  readonly memoryBytes: number;
  /** What Xen needs for its domain beside that. Default: 0. */
  readonly overheadBytes?: number;
  readonly vcpus: number;
  readonly diskBytes: number;
}

/** Whose something on a dom0 or in a network is. */
export interface Owner {
  readonly guest: string;
  readonly order: string;
}

/** A pool of storage, in which guests' disks are made. */
export interface PoolFacts {
  readonly name: string;
  readonly sizeBytes: number;
  /** What nothing lies on. Of a thin pool: what nobody has written to, which may be sold already. */
  readonly freeBytes: number;
  /** Set if it is a thin pool: how full its table of blocks is, as a share of 1. */
  readonly thin?: { readonly metadataShare: number };
}

/** What of a pool may be sold, and what of that is left: negative if more is reserved than there is. */
export interface PoolCapacity {
  readonly name: string;
  readonly sellableBytes: number;
  readonly freeBytes: number;
  /** Of a thin pool: the share of it that is written to, or of its table of blocks, whichever is more. At 1 its guests' file systems fail. */
  readonly filledShare?: number;
}

/** What an operator lets be sold of a dom0; in `dom0.yaml`. */
export interface Dom0Policy {
  /** Plans that it takes. Default: all. */
  readonly plans?: readonly string[];
  /** How many times each is sold. */
  readonly oversell: { readonly vcpus: number; readonly memory: number; readonly disk: number };
  /** What is never sold. Of disk: in each pool. */
  readonly reserve: { readonly memoryBytes: number; readonly diskBytes: number };
}

/** What a dom0 that says nothing sells: Xen does not page, so memory and disk once; a vcpu is a share of time. */
export const DEFAULT_POLICY: Dom0Policy = {
  oversell: { vcpus: 4, memory: 1, disk: 1 },
  // Room for the snapshot of a backup.
  reserve: { memoryBytes: 0, diskBytes: 2 ** 30 },
};

/** Something on a dom0 that takes memory, vcpus or disk. Without guest and order it was made by hand. */
export interface Holding extends Amounts {
  /** `domain NAME`, `volume VG/NAME`, `guest NAME`. */
  readonly what: string;
  /** Where its disk lies. Default: the dom0's first pool. */
  readonly pool?: string;
  readonly guest?: string;
  readonly order?: string;
}

/** What a dom0 has to sell. Amounts of disk are those of one pool, the first unless another was asked for. */
export interface Capacity {
  readonly host: string;
  readonly drained: boolean;
  /** Since when it is lost (ISO 8601). */
  readonly lost?: string;
  /** Plans that it takes. Default: all. */
  readonly plans?: readonly string[];
  /** Undefined until its worker has registered. */
  readonly sellable?: Amounts;
  readonly promised: Amounts;
  /** Taken by what is there without a reservation: guests made by hand, orphans. */
  readonly byHand: Amounts;
  readonly guests: number;
  /** Negative if more is reserved than there is. */
  readonly free?: Amounts;
  /** Every pool of the dom0. */
  readonly pools?: readonly PoolCapacity[];
  /** No guest gets more vcpus than these. */
  readonly cpus?: number;
  /** Its golden tarballs, and when each was made (ISO 8601). Default: none is known. */
  readonly golden?: readonly GoldenAge[];
  /** Golden images that could not be renewed. Default: none. */
  readonly notRenewed?: readonly NotRenewed[];
}

/** A golden tarball of a dom0. */
export interface GoldenAge {
  readonly dist: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** A distribution whose golden images could not be renewed: those of before are in use. */
export interface NotRenewed {
  readonly dist: string;
  /** Of the last attempt, in one line. */
  readonly reason: string;
  /** When the first attempt failed (ISO 8601). */
  readonly since: string;
}

/** A dom0's ledger as placement sees it. */
export interface Ledger {
  readonly capacity: Capacity;
  /** The owners of its reservations. */
  readonly owners: readonly Owner[];
  /** When its worker last said what the dom0 has (ISO 8601). */
  readonly seenAt?: string;
}

/** A network as a dom0 reaches it. */
export interface NetworkAccess {
  readonly cidr: string;
  readonly gateway: string;
  readonly bridge: string;
}

/** What the periodic audit of a dom0 found. */
export interface LedgerAudit {
  readonly at: string;
  /** Why it could not look; nothing was changed then. */
  readonly problem?: string;
  /** Reservations that were freed: no workflow claims them, and nothing is on the dom0 for them. */
  readonly freed: readonly string[];
  /** Guests that are there and claimed, and were not in the ledger: they are now. */
  readonly adopted: readonly string[];
  /** Domains and volumes made by hand. They count as used, and are left alone. */
  readonly byHand: readonly string[];
  /** What carries our mark and nobody claims: guest, order and why. */
  readonly orphans: readonly (Owner & { readonly reason: string })[];
}

/** Who has which address of a network. */
export interface Lease extends Owner {
  readonly ip: string;
  /** Upper case, colons. */
  readonly mac: string;
  /** Where the network has a /64. */
  readonly ip6?: string;
  /** Beside `ip6`. */
  readonly gateway6?: string;
  readonly since: string;
}

/** Asks for an address. Without `ip` it is the next free one; without `mac`, one made from the name. */
export interface LeaseRequest extends Owner {
  readonly ip?: string;
  readonly mac?: string;
}

/** An operator's part of a network. */
export interface NetworkSettings {
  readonly gateway: string;
  /** `192.0.2.10-192.0.2.99` or `192.0.2.64/26`: where addresses are leased from. Default: the whole network. */
  readonly ranges: readonly string[];
  /** Addresses and ranges that are never leased. An order may not name them either. */
  readonly exclude: readonly string[];
  /** For how long an address that came back is given to nobody else: other machines remember its MAC. */
  readonly quarantineSeconds: number;
  /** `2001:db8:0:1::/64`. */
  readonly ipv6?: string;
  /** Default: the first address of `ipv6`, `2001:db8:0:1::1`; may be link-local. */
  readonly ipv6Gateway?: string;
}

/** A dom0 that reaches a network, and the addresses in its cfg files. */
export interface NetworkMember {
  readonly dom0: string;
  readonly bridge: string;
  readonly exclude: readonly string[];
  readonly addresses: readonly { readonly ip: string; readonly guest: string }[];
}

/** What a dom0 or an operator says of a network. The first one makes it. */
export interface NetworkJoin {
  /** Made from these when it is new. */
  readonly gateway: string;
  readonly members: readonly NetworkMember[];
  /** An operator's word; replaces what was said before. */
  readonly settings?: NetworkSettings;
}

/** A network's workflow. */
export interface NetworkState {
  readonly cidr: string;
  readonly settings: NetworkSettings;
  readonly members: readonly NetworkMember[];
  readonly leases: readonly Lease[];
  /** Addresses that came back, and nobody else gets yet. */
  readonly quarantined: readonly (Lease & { readonly until: string })[];
  /** Addresses at which something answered that is no guest of ours. */
  readonly taken: readonly { readonly ip: string; readonly seenAt: string; readonly dom0: string }[];
}

/** Default of `NetworkSettings.quarantineSeconds`. */
export const QUARANTINE_SECONDS = 900;
