/** All dom0s and their guests. */
import type { Board } from './board.ts';

export const FLEET: Board = {
  uid: 'fleet',
  title: 'fleet',
  about: 'All dom0s and guests: what is there, what runs, and what is a person’s business.',
  figures: [
    { title: 'Guests', about: 'Guests of all phases.', expr: 'sum(max by (dom0, phase) (guestflow_guests))' },
    {
      title: 'Need cleaning up',
      about: 'Something of them could not be removed: guestflow list --phase needs-cleanup.',
      expr: 'sum(max by (dom0) (guestflow_guests{phase="needs-cleanup"})) or vector(0)',
      badFrom: 1,
    },
    {
      title: 'dom0s that are not served',
      about: 'Nobody asks for their work: orders, operations and nights wait.',
      expr: 'count(max by (dom0) (guestflow_dom0_served) == 0) or vector(0)',
      badFrom: 1,
    },
    {
      title: 'Operations that run',
      about: 'Orders among them (kind provision).',
      expr: 'sum(max by (dom0, kind) (guestflow_running_operations)) or vector(0)',
    },
    {
      title: 'Without a good backup',
      about: 'Guests whose last good backup is older than two days and two hours: guestflow top names them.',
      expr: 'sum(max by (dom0) (guestflow_backup_overdue_guests)) or vector(0)',
      badFrom: 1,
    },
    {
      title: 'The fleet can be read',
      about: '0: Temporal does not answer, and nothing else here is of now.',
      expr: 'max(guestflow_fleet_readable) or vector(0)',
      badBelow: 1,
    },
  ],
  series: [
    {
      title: 'Guests by phase',
      about: 'Phases as guestflow list has them.',
      expr: 'sum by (phase) (max by (dom0, phase) (guestflow_guests))',
      legend: '{{phase}}',
    },
    {
      title: 'Operations that ended, an hour',
      about: 'By result: done, or the type of the failure.',
      expr: 'sum by (result) (increase(guestflow_operations_total[1h]))',
      legend: '{{result}}',
    },
    {
      title: 'How long an order takes',
      about: 'Nine of ten of the last six hours took no longer.',
      expr: 'histogram_quantile(0.9, sum by (le) (increase(guestflow_operation_seconds_bucket{kind="provision"}[6h])))',
      unit: 's',
    },
    {
      title: 'Where the time of steps goes',
      about: 'Seconds of each step an hour, with the waits for a worker.',
      expr: 'topk(10, sum by (step) (increase(guestflow_step_seconds_sum[1h])))',
      legend: '{{step}}',
      unit: 's',
    },
    {
      title: 'Free memory',
      about: 'What each dom0 has left to sell. Below 0: more is promised than there is.',
      expr: 'max by (dom0) (guestflow_dom0_free_memory_bytes)',
      legend: '{{dom0}}',
      unit: 'bytes',
    },
    {
      title: 'Free disk',
      about: 'What each pool has left to sell.',
      expr: 'max by (dom0, pool) (guestflow_pool_free_bytes)',
      legend: '{{dom0}} {{pool}}',
      unit: 'bytes',
    },
  ],
};
