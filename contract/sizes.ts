/** Sizes as people write them: `8Gb`, `512Mb` (xen-tools), `20G`, `8GiB`, `1.5GiB`, plain bytes are refused as ambiguous. */

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

export const MiB = 2 ** 20;
export const GiB = 2 ** 30;

/**
 * Bytes of a size as xen-tools writes it (`8Gb`, `512M`, `2G`: powers of 1024, whatever the case) or as `8GiB`.
 *
 * @returns bytes, a multiple of 1 MiB; undefined when it is no size.
 */
export function parseSize(text: string): number | undefined {
  const match = /^[ \t]*(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,6}))?[ \t]*([KMGT])(?:i?B)?[ \t]*$/i.exec(text);
  const unit = UNITS[(match?.[3] ?? '').toUpperCase()];
  if (match === null || unit === undefined) return undefined;
  const bytes = Number(`${match[1] ?? ''}.${match[2] ?? '0'}`) * unit;
  return Number.isSafeInteger(bytes) && bytes > 0 && bytes % MiB === 0 ? bytes : undefined;
}

/** A size for people: the largest binary unit that gives a short number. `8 GiB`, `512 MiB`, `1.5 GiB`. */
export function formatSize(bytes: number): string {
  const index = bytes >= 2 ** 40 ? 3 : bytes >= GiB ? 2 : bytes >= MiB ? 1 : 0;
  const value = bytes / 1024 ** (index + 1);
  return `${Number.isInteger(value) ? String(value) : value.toFixed(1)} ${['KiB', 'MiB', 'GiB', 'TiB'][index] ?? ''}`;
}
