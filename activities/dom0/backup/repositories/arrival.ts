/**
 * When a backup came to a backup host, by that host's own clock: a small file beside the record. Retention there goes by it, and by nothing that the dom0
 * says. It outlives a backup that retention has removed, so that the same one is not pulled again.
 */
import { z } from 'zod';
import { writeWhole } from '../../../../system/whole-file.ts';
import { readRegular } from './read-regular.ts';

const arrivalSchema = z.strictObject({
  arrivedAt: z.iso.datetime(),
  /** Retention has removed it, or is about to. */
  removedAt: z.iso.datetime().exactOptional(),
});

export type Arrival = z.output<typeof arrivalSchema>;

const NAME = /^(\d{8}T\d{6}Z)\.arrival\.json$/;

function pathOf(place: string, id: string): string {
  return `${place}/${id}.arrival.json`;
}

/** The id of the backup, if this is the name of such a file. */
export function arrivalIn(name: string): string | undefined {
  return NAME.exec(name)?.[1];
}

/** Undefined if there is none, or none that makes sense: the backup was put there in another way. */
export async function readArrival(place: string, id: string): Promise<Arrival | undefined> {
  const text = await readRegular(pathOf(place, id), 1_000);
  if (text === undefined) return undefined;
  try {
    return arrivalSchema.parse(JSON.parse(text.toString('utf8')));
  } catch {
    return undefined;
  }
}

export async function writeArrival(place: string, id: string, arrival: Arrival): Promise<void> {
  await writeWhole(pathOf(place, id), `${JSON.stringify(arrival)}\n`);
}
