/** Backups and their proofs. */
import type { Board } from './board.ts';

export const NIGHTS: Board = {
  uid: 'nights',
  title: 'nights',
  about: 'Backups and their proofs: what is missing, and how old the oldest is.',
  figures: [
    {
      title: 'Night failed',
      about: 'Guests whose last night failed: guestflow backups NAME says why.',
      expr: 'sum(max by (dom0) (guestflow_night_failed_guests)) or vector(0)',
      badFrom: 1,
    },
    {
      title: 'Night missed',
      about: 'Guests that were not told of their last night.',
      expr: 'sum(max by (dom0) (guestflow_night_missed_guests)) or vector(0)',
      badFrom: 1,
    },
    {
      title: 'Backup overdue',
      about: 'Guests whose last good backup is older than two days and two hours.',
      expr: 'sum(max by (dom0) (guestflow_backup_overdue_guests)) or vector(0)',
      badFrom: 1,
    },
    {
      title: 'Proof overdue',
      about: 'Of these guests nobody knows whether they could be restored.',
      expr: 'sum(max by (dom0) (guestflow_proof_overdue_guests)) or vector(0)',
      badFrom: 1,
    },
    {
      title: 'Unusable backups',
      about: 'That no proven one has followed.',
      expr: 'sum(max by (dom0) (guestflow_unusable_backups)) or vector(0)',
      badFrom: 1,
    },
    {
      title: 'Nothing known',
      about: 'Guests that have not said yet how their backups are.',
      expr: 'sum(max by (dom0) (guestflow_backups_unknown_guests)) or vector(0)',
    },
  ],
  series: [
    {
      title: 'Age of the oldest last good backup',
      about: 'Of the guest of each dom0 whose last good backup is the oldest.',
      expr: 'time() - max by (dom0) (guestflow_oldest_backup_timestamp_seconds)',
      legend: '{{dom0}}',
      unit: 's',
    },
    {
      title: 'Age of the oldest last proven backup',
      about: 'Without guests that are not to be proven.',
      expr: 'time() - max by (dom0) (guestflow_oldest_proven_backup_timestamp_seconds)',
      legend: '{{dom0}}',
      unit: 's',
    },
    {
      title: 'Backups that ended, an hour',
      about: 'By result: done, or the type of the failure.',
      expr: 'sum by (result) (increase(guestflow_operations_total{kind="backup"}[1h]))',
      legend: '{{result}}',
    },
    {
      title: 'Proofs that ended, an hour',
      about: 'By result: done, or the type of the failure.',
      expr: 'sum by (result) (increase(guestflow_operations_total{kind="prove"}[1h]))',
      legend: '{{result}}',
    },
    {
      title: 'How long backups take',
      about: 'Nine of ten of the last day took no longer.',
      expr: 'histogram_quantile(0.9, sum by (le) (increase(guestflow_operation_seconds_bucket{kind="backup"}[1d])))',
      unit: 's',
    },
    {
      title: 'Copies that wait',
      about: 'For a slot of their dom0.',
      expr: 'max by (dom0) (guestflow_dom0_waiting_steps{queue="bulk"})',
      legend: '{{dom0}}',
    },
  ],
};
