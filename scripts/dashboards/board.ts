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
export interface Board {
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  /** The reader chooses a dom0. */
  readonly isOfDom0?: true;
  readonly figures: readonly Figure[];
  readonly series: readonly Panel[];
}

export function build({ uid, title, about, isOfDom0, figures, series: lines }: Board): Dashboard {
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
