/** The reader of file systems, where guestflow runs from its sources. */
import type { ReaderProgram } from './options.ts';

export const bundledReader: ReaderProgram = async () => (await import('../../deploy/bundle-worker.ts')).bundleReader();
