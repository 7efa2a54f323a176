/** Orders of billing, and the gateway. */
import type { Board } from './board.ts';

export const BILLING: Board = {
  uid: 'billing',
  title: 'billing',
  about: 'What the shop sends, what is answered, and what became of the orders.',
  figures: [
    {
      title: 'Orders with a problem',
      about: 'guestflow events --problems says of each what to do.',
      expr: 'max(guestflow_billing_orders{phase="problem"}) or vector(0)',
      badFrom: 1,
    },
    { title: 'Orders', about: 'Orders of billing, of all phases.', expr: 'sum(max by (phase) (guestflow_billing_orders)) or vector(0)' },
    {
      title: 'Errors of ours',
      about: 'The share of 5xx among the answers of the last ten minutes: events are sent again, and wait.',
      expr: 'sum(rate(guestflow_gateway_answers_total{status=~"5.."}[10m])) / sum(rate(guestflow_gateway_answers_total[10m]))',
      unit: 'percentunit',
      badFrom: 0.2,
    },
  ],
  series: [
    {
      title: 'Orders by phase',
      about: 'As guestflow events has them.',
      expr: 'max by (phase) (guestflow_billing_orders)',
      legend: '{{phase}}',
    },
    {
      title: 'Answers a second',
      about: 'Of the gateway, by route and status.',
      expr: 'sum by (route, status) (rate(guestflow_gateway_answers_total[5m]))',
      legend: '{{route}} {{status}}',
      unit: 'reqps',
    },
    {
      title: 'How long an answer takes',
      about: 'Nine of ten took no longer.',
      expr: 'histogram_quantile(0.9, sum by (le, route) (rate(guestflow_gateway_answer_seconds_bucket[5m])))',
      legend: '{{route}}',
      unit: 's',
    },
    {
      title: 'Orders that ended, an hour',
      about: 'By result: done, or the type of the failure.',
      expr: 'sum by (result) (increase(guestflow_operations_total{kind="provision"}[1h]))',
      legend: '{{result}}',
    },
  ],
};
