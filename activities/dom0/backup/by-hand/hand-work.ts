/** Work on backups that no worker does: a person, at the machine that has the repository's directory. */
import type { Work } from '../../work.ts';

/** No settings of a dom0 are needed, and none may be there. */
export type HandWork = Pick<Work, 'host' | 'signal' | 'progress'>;
