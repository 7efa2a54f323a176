/**
 * Markers of what the `guest` workflow does otherwise than it once did: a history with the marker was made by the newer way, and one without it
 * replays the older. One can go when no history that is older is running any more (docs/changing-workflows.md).
 */

/** A guest that is left stopped is stopped by an operation. */
export const LEAVES_STOPPED = 'guest-left-stopped-by-operation';
/** A change of plan that allows no restart is not refused at once. */
export const ADJUSTS = 'guest-changes-plan-without-restart';
/** An undelete that failed puts the end of the grace period off. */
export const UNDELETE_MAY_FAIL = 'failed-undelete-keeps-the-data';
/** A cleanup keeps the backups that the removal before it was to keep. */
export const CLEANUP_KEEPS = 'cleanup-keeps-backups';
/** A removal that failed is forgotten once the guest does something else. */
export const REMOVAL_IS_OVER = 'removal-is-over';
/** After a cancel in the UI whoever waits is told how the operation ended, and a new run hears of the next one. */
export const CANCEL_IN_UI = 'cancel-in-ui-is-for-what-runs';
