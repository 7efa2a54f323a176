/** What may be said of a new system for a guest that exists, on the command line as in `/v1`. */
import { z } from 'zod';
import { field } from './field-schemas.ts';

const ONLY_DIRECT =
  'must be direct, or left out: the new system is made beside the one that runs, from the golden root file system. how-to starts from an image, and is for new guests';

export const reinstallFields = {
  dist: field.dist.optional().meta({ description: 'Distribution. Default: the one that the guest has.' }),
  recipe: z.enum(['direct'], { error: ONLY_DIRECT }).optional().meta({
    description: 'The way to the new system: there is only this one, however the guest was made.',
  }),
};
