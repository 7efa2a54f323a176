/** create-image: the guest's disk as an image file, from the golden root tarball (rows 3-5 of the how-to). */
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import type { ImageResult } from '../../../contract/step-results.ts';
import type { StepEnv } from '../env.ts';
import { discardImage, hasImage } from '../images/image-files.ts';

/** Makes the image, or finds it made. */
export async function createImage(env: StepEnv, { spec }: { spec: GuestSpec }): Promise<ImageResult> {
  return await env.kindOf(spec).makeImage(spec);
}

/** Undo of create-image: removes the image, whole or half made. The guest must be off. */
export async function removeImage(env: StepEnv, ref: GuestRef): Promise<void> {
  if (await hasImage(env, ref)) await env.toolstack.mustBeOff(ref.name);
  await discardImage(env, ref);
}
