/** One dom0. */
import type { Board } from './board.ts';

export const DOM0: Board = {
  uid: 'dom0',
  title: 'one dom0',
  about: 'One dom0: whether its worker serves, what it has sold, and how its tools do.',
  isOfDom0: true,
  figures: [
    {
      title: 'Served',
      about: '1 if its worker has asked for work within a minute and a half.',
      expr: 'max(guestflow_dom0_served{dom0="$dom0"})',
      badBelow: 1,
    },
    {
      title: 'Last heard of',
      about: 'How long ago its worker was heard of.',
      expr: 'time() - max(guestflow_dom0_last_seen_timestamp_seconds{dom0="$dom0"})',
      unit: 's',
      badFrom: 90,
    },
    { title: 'Drained', about: '1: it takes no orders.', expr: 'max(guestflow_dom0_drained{dom0="$dom0"}) or vector(0)' },
    { title: 'Guests', about: 'Guests of all phases.', expr: 'sum(max by (phase) (guestflow_guests{dom0="$dom0"}))' },
    {
      title: 'Steps that wait',
      about: 'For its worker, short ones and copies. Copies wait at night.',
      expr: 'sum(max by (queue) (guestflow_dom0_waiting_steps{dom0="$dom0"})) or vector(0)',
    },
    {
      title: 'Memory sold',
      about: 'Of what it has to sell.',
      expr: '1 - max(guestflow_dom0_free_memory_bytes{dom0="$dom0"}) / max(guestflow_dom0_sellable_memory_bytes{dom0="$dom0"})',
      unit: 'percentunit',
      badFrom: 1.000_001,
    },
  ],
  series: [
    {
      title: 'Guests by phase',
      about: 'Phases as guestflow list has them.',
      expr: 'max by (phase) (guestflow_guests{dom0="$dom0"})',
      legend: '{{phase}}',
    },
    {
      title: 'Operations that run',
      about: 'By kind; an order is the kind provision.',
      expr: 'max by (kind) (guestflow_running_operations{dom0="$dom0"})',
      legend: '{{kind}}',
    },
    {
      title: 'Steps that wait',
      about: 'Short ones, and copies (bulk).',
      expr: 'max by (queue) (guestflow_dom0_waiting_steps{dom0="$dom0"})',
      legend: '{{queue}}',
    },
    {
      title: 'Disk sold',
      about: 'Of what each pool has to sell.',
      expr: '1 - max by (pool) (guestflow_pool_free_bytes{dom0="$dom0"}) / max by (pool) (guestflow_pool_sellable_bytes{dom0="$dom0"})',
      legend: '{{pool}}',
      unit: 'percentunit',
    },
    {
      title: 'Traffic of guests, a second',
      about: 'Of all dom0 workers that are scraped: the ten lines with most. In is what was sent to the guest.',
      expr: 'topk(10, sum by (guest, direction) (rate(guestflow_guest_traffic_bytes_total[5m])))',
      legend: '{{guest}} {{direction}}',
      unit: 'Bps',
    },
    {
      title: 'Tools that failed, an hour',
      about: 'Of all dom0 workers that are scraped: what each tool ended with.',
      expr: 'sum by (tool, outcome) (increase(guestflow_tool_runs_total{outcome!="ok"}[1h]))',
      legend: '{{tool}} {{outcome}}',
    },
    {
      title: 'Time in tools, an hour',
      about: 'Of all dom0 workers that are scraped.',
      expr: 'topk(10, sum by (tool) (increase(guestflow_tool_run_seconds_sum[1h])))',
      legend: '{{tool}}',
      unit: 's',
    },
  ],
};
