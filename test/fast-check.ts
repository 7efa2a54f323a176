/**
 * Property tests try the same cases in every run, so that a run that fails can be run again. `GUESTFLOW_SEED=N` tries others: a way to look
 * for new ones, not something that a change should depend on.
 */
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env['GUESTFLOW_SEED'] ?? 1) });
