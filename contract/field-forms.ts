/**
 * Forms of fields as JSON Schema says them, made of the constants that check them. What types, enumerations and numbers say is not here. A test holds
 * each form against its check, in both directions. Pure.
 */
import * as check from './field-checks.ts';
import { netmaskOfPrefix, whyNotPrefix } from './ipv4.ts';
import { eitherCase, numbersPattern } from './published-pattern.ts';
import { GiB, MiB } from './sizes.ts';

/** Keys of a JSON Schema. */
export type JsonForm = Readonly<Record<string, unknown>>;

type Bounds = (typeof check.SIZE_BOUNDS)[keyof typeof check.SIZE_BOUNDS];

/** Whole MiB, GiB and TiB exactly. Of fractions and of KiB, which must come to whole steps, as many digits as the bounds have. */
function sizePattern({ least, most, step }: Bounds): string {
  const kilobytes = `[1-9][0-9]{${[least, most].map((bytes) => String(bytes / 1024).length - 1).join(',')}}(?:\\.0{1,6})?[ \\t]*[Kk]`;
  const units = [MiB, GiB, 1024 * GiB].map((unit, index) => {
    const [first, last] = [Math.ceil(least / unit), Math.floor(most / unit)];
    const whole = first > last ? [] : [`${numbersPattern(first, last, Math.max(step / unit, 1))}(?:\\.0{1,6})?`];
    const begun = unit === MiB ? [] : [`${numbersPattern(Math.floor(least / unit), Math.ceil(most / unit) - 1)}\\.[0-9]{1,6}`];
    return `(?:${[...whole, ...begun].join('|')})[ \\t]*${eitherCase('MGT'.charAt(index))}`;
  });
  return `^[ \\t]*(?:${[kilobytes, ...units].join('|')})(?:[Ii]?[Bb])?[ \\t]*$`;
}

/** A size with a unit. */
export function sizeForm(kind: keyof typeof check.SIZE_BOUNDS, description: string, example: string): JsonForm {
  return {
    type: 'string',
    pattern: sizePattern(check.SIZE_BOUNDS[kind]),
    maxLength: check.LONGEST_SIZE,
    description: `${description} With a unit, powers of 1024. Default: the plan's.`,
    examples: [example],
  };
}

const OCTET = numbersPattern(0, 255);
/** No network 0, no loopback, no multicast, nothing reserved. */
export const ADDRESS = `^(?:${numbersPattern(1, 126)}|${numbersPattern(128, 223)})(?:\\.${OCTET}){3}$`;
export const NETMASKS = Array.from({ length: 33 }, (_, prefix) => prefix)
  .filter((prefix) => whyNotPrefix(prefix) === undefined)
  .map(netmaskOfPrefix);
