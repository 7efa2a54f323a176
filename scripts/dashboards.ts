/* eslint-disable @typescript-eslint/no-deprecated -- the former form of a dashboard is the one that every Grafana of these years imports */
/**
 * The Grafana dashboards of `deploy/monitoring/dashboards/`, built with Grafana's own types. A test holds the files against this;
 * `npx vitest run --project unit test/unit/deploy/dashboards.test.ts -u` writes them.
 */
import { BigValueColorMode, BigValueGraphMode } from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as SeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** The Prometheus that the reader chooses. */
const SOURCE = { type: 'prometheus', uid: '${source}' };

/** One panel. */
interface Panel {
  readonly title: string;
  /** What it means, and what to do. */
  readonly about: string;
  readonly expr: string;
  /** How its lines are named: `{{label}}`. */
  readonly legend?: string;
  /** Grafana's name of a unit. Default: a plain number. */
  readonly unit?: string;
}

/** A number, and from which value on it is a person's business. */
interface Figure extends Panel {
  /** Default: it never is. */
  readonly badFrom?: number;
  /** It is one below this. */
  readonly badBelow?: number;
}

function query({ expr, legend }: Panel): DataqueryBuilder {
  return new DataqueryBuilder()
    .datasource(SOURCE)
    .expr(expr)
    .legendFormat(legend ?? '');
}

function figure(shown: Figure): StatBuilder {
  const { title, about, unit, badFrom, badBelow } = shown;
  const steps =
    badBelow !== undefined
      ? [
          { value: null, color: 'red' },
          { value: badBelow, color: 'green' },
        ]
      : [{ value: null, color: 'green' }, ...(badFrom === undefined ? [] : [{ value: badFrom, color: 'red' }])];
  return new StatBuilder()
    .title(title)
    .description(about)
    .datasource(SOURCE)
    .unit(unit ?? 'short')
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
    .height(4)
    .span(4)
    .withTarget(query(shown));
}

function series(shown: Panel): SeriesBuilder {
  const { title, about, unit } = shown;
  return new SeriesBuilder()
    .title(title)
    .description(about)
    .datasource(SOURCE)
    .unit(unit ?? 'short')
    .height(8)
    .span(12)
    .withTarget(query(shown));
}

/** One dashboard. */
interface Board {
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  /** The reader chooses a dom0. */
  readonly isOfDom0?: true;
  readonly figures: readonly Figure[];
  readonly series: readonly Panel[];
}

function build({ uid, title, about, isOfDom0, figures, series: lines }: Board): Dashboard {
  const board = new DashboardBuilder(`guestflow: ${title}`)
    .uid(`guestflow-${uid}`)
    .description(about)
    .tags(['guestflow'])
    .readonly()
    .refresh('1m')
    .time({ from: 'now-24h', to: 'now' })
    .timezone('browser')
    .withVariable(new DatasourceVariableBuilder('source').label('Prometheus').type('prometheus'));
  if (isOfDom0 === true)
    board.withVariable(
      new QueryVariableBuilder('dom0')
        .label('dom0')
        .datasource(SOURCE)
        .query('label_values(guestflow_dom0_served, dom0)')
        .refresh(VariableRefresh.OnTimeRangeChanged),
    );
  board.withRow(new RowBuilder('Now'));
  for (const each of figures) board.withPanel(figure(each));
  board.withRow(new RowBuilder('Over time'));
  for (const each of lines) board.withPanel(series(each));
  return board.build();
}

const FLEET: Board = {
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

const DOM0: Board = {
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

const NIGHTS: Board = {
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

const BILLING: Board = {
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

/** Each dashboard, by the name of its file. */
export const DASHBOARDS: Readonly<Record<string, Dashboard>> = Object.fromEntries(
  Object.entries({ fleet: FLEET, dom0: DOM0, nights: NIGHTS, billing: BILLING }).map(([name, board]) => [`${name}.json`, build(board)]),
);
