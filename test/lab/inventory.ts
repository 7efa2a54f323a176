/** What is on the lab's dom0, looked at with its own tools and not with the product's eyes; and what of it should not be there. */
import type { Lab } from '../../lab/index.ts';

/** One line a thing. */
export type Inventory = readonly string[];

/** Everything that an order could leave behind. Golden tarballs and golden root file systems belong to no order; logs stay. */
const LOOK = `
xl list | awk 'NR > 1 { print "domain " $1 }'
lvs --noheadings --units b --nosuffix -o lv_name,lv_size,lv_tags vg01 | sed 's/^ */volume /; s/ *$//; s/  */ /g'
vgs --noheadings --units b --nosuffix -o vg_free vg01 | sed 's/^ */free bytes /'
dmsetup ls | sed 's/[ \\t].*//; s/^/device /'
losetup --list --noheadings --output BACK-FILE | sed 's/^/loop device on /'
findmnt --raw --noheadings --output TARGET,SOURCE | awk '$2 ~ "^/dev/|^/home" { print "mount " $1 " of " $2 }'
find /etc/xen -type f -exec sha256sum {} + | awk '{ print "file " $2 " " $1 }'
find /etc/xen -type l -printf 'link %p to %l\\n'
find /home/xen /var/backups/guestflow /var/lib/guestflow -path /var/lib/guestflow/golden -prune -o -printf 'path %p\\n'
find /var/lib/guestflow/golden -printf 'path %p\\n'
`;

/** Directories of guestflow itself: they appear with the first guest, and stay. */
const OWN = new Set(
  [
    '/home/xen/.guestflow',
    '/home/xen/domains',
    '/var/lib/guestflow/guests',
    '/var/lib/guestflow/guests/.guestflow',
    '/var/backups/guestflow/.guestflow',
  ].map((path) => `path ${path}`),
);

const GOLDEN_ROOT = /^path \/var\/lib\/guestflow\/golden\/[a-z]+-[0-9a-f]{16}\.img\.zst$/;

/** Whether it is a golden root file system with its record, or the record of one: it stays for the next guest. */
function isWholeGoldenRoot(line: string, all: readonly string[]): boolean {
  const file = line.replace(/\.json$/, '');
  return GOLDEN_ROOT.test(file) && all.includes(file) && all.includes(`${file}.json`);
}

/** Whether it is of a thin pool itself: devices that LVM makes as it needs them; and whole templates, which stay for the next guest. */
function isOfThinPool(line: string): boolean {
  return /^(volume golden-[a-z]+-[0-9a-f]{16} \d+ (?!.*unfinished)|device vg01-(golden--|guests-?))/.test(line);
}

/** What is on the dom0 now. */
export async function inventoryOf(lab: Lab): Promise<Inventory> {
  const { stdout } = await lab.exec(['sh', '-c', LOOK]);
  const all = stdout.split('\n');
  return all
    .filter((line) => line !== '' && line !== 'device No' && !OWN.has(line) && !isWholeGoldenRoot(line, all) && !isOfThinPool(line))
    .sort();
}

/** In words, how two inventories differ; empty when they do not. */
export function differences(before: Inventory, after: Inventory): string[] {
  return [
    ...after.filter((line) => !before.includes(line)).map((line) => `is new: ${line}`),
    ...before.filter((line) => !after.includes(line)).map((line) => `has gone: ${line}`),
  ];
}

/** The lines that are no guest's of these names. What is free in the volume group depends on them, and is left out, too, when there are any. */
export function withoutGuests(inventory: Inventory, names: readonly string[]): Inventory {
  return names.reduce((lines, name) => {
    const own = new RegExp(`(^|[ /])${name}(-root|-swap)?([ ./]|$)|^device vg01-${name.replaceAll('-', '--')}--(root|swap)$|^free bytes `);
    return lines.filter((line) => !own.test(line));
  }, inventory);
}
