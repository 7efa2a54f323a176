/** The nights of a guest, and its next one, for a person: those that the guest remembers, late ones, and those of which the guest was never told. */
import type { ScheduleDescription } from '@temporalio/client';
import { GuestflowError } from '../../contract/errors.ts';
import { nightlyScheduleId } from '../../contract/names.ts';
import { NIGHTS_KEPT, type NightRecord, type NightState } from '../../contract/nights.ts';
import { readStatus } from './look.ts';
import type { Session } from '../session.ts';

/** A night, as it is shown. Times are ISO 8601. */
export interface Night extends Omit<NightRecord, 'state' | 'askedAt'> {
  /** `missed`: its time passed, and the guest was never asked. */
  readonly state: NightState | 'missed';
  readonly askedAt?: string;
  /** Minutes from its time until the snapshot of its backup, if an hour or more. For a night that still waits: until now. */
  readonly lateMinutes?: number;
}

/** What is known of a guest's Schedule. */
export interface NightlyClock {
  /** UTC. */
  readonly hour: number;
  readonly minute: number;
  /** When the Schedule was made or changed last (ISO 8601). Earlier nights do not count as missed. */
  readonly since: string;
  readonly isPaused: boolean;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const LATE_MINUTES = 60;
/** If the guest was not asked within this time, the night counts as missed so far. */
const ASKED_WITHIN_MS = 10 * MINUTE_MS;

/**
 * The nights of at most the last thirty days, oldest first: those that the guest remembers, and those that only follow from its Schedule. Pure.
 *
 * @param clock undefined if the guest has no Schedule: then only the nights that it remembers are known
 */
export function nightsOf(records: readonly NightRecord[], clock: NightlyClock | undefined, nowMs: number): Night[] {
  const known = records.map((night) => withLateness(night, nowMs));
  const missed = clock === undefined ? [] : missedNights(records, clock, nowMs);
  return [...known, ...missed].sort((a, b) => (a.due < b.due ? -1 : 1)).slice(-NIGHTS_KEPT);
}

function withLateness(night: NightRecord, nowMs: number): Night {
  if (night.state !== 'done' && night.state !== 'waiting') return night;
  const begun = night.state === 'waiting' ? nowMs : Date.parse(night.takenAt ?? night.askedAt);
  const lateMinutes = Math.floor((begun - Date.parse(night.due)) / MINUTE_MS);
  return lateMinutes < LATE_MINUTES ? night : { ...night, lateMinutes };
}

function missedNights(records: readonly NightRecord[], { hour, minute, since, isPaused }: NightlyClock, nowMs: number): Night[] {
  // If the guest's memory of nights is full, it has forgotten earlier ones.
  const [oldest] = records;
  const full = records.length >= NIGHTS_KEPT && oldest !== undefined ? Date.parse(oldest.due) : 0;
  const from = Math.max(Date.parse(since), full, nowMs - NIGHTS_KEPT * DAY_MS);
  const first = new Date(from);
  first.setUTCHours(hour, minute, 0, 0);
  const missed: Night[] = [];
  for (let due = first.getTime() < from ? first.getTime() + DAY_MS : first.getTime(); due < nowMs - ASKED_WITHIN_MS; due += DAY_MS) {
    // Whenever on that day it was asked: a night that was made up for has its own time.
    if (records.some((night) => Math.abs(Date.parse(night.due) - due) < MINUTE_MS)) continue;
    missed.push({ due: new Date(due).toISOString(), state: 'missed', reason: isPaused ? PAUSED : NEVER_ASKED });
  }
  return missed;
}

const PAUSED = 'its Schedule is paused';
const NEVER_ASKED =
  'the guest was not asked: Temporal or the control worker was away, its Schedule was paused, or the guest had no workflow';

/** The nights of a guest. */
export async function readNights(session: Session, name: string): Promise<Night[]> {
  const { nights = [], phase } = await readStatus(session, name);
  // A guest that is being removed has no Schedule, or will soon have none.
  const isThere = phase === 'running' || phase === 'stopped' || phase === 'suspended';
  return nightsOf(nights, isThere ? await readClock(session, name) : undefined, Date.now());
}

/** When the next nightly backup begins (ISO 8601), or undefined when its Schedule is paused. */
export async function nextBackup(session: Session, name: string): Promise<string | undefined> {
  const { state, info } = await describeSchedule(session, name);
  return state.paused ? undefined : info.nextActionTimes[0]?.toISOString();
}

function describeSchedule(session: Session, name: string): Promise<ScheduleDescription> {
  return session.call(`nightly backup of ${name}`, () => session.client.schedule.getHandle(nightlyScheduleId(name)).describe());
}

async function readClock(session: Session, name: string): Promise<NightlyClock | undefined> {
  try {
    return clockOf(await describeSchedule(session, name));
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'NotFound') return undefined;
    throw error;
  }
}

/** Undefined if somebody has changed the times of the Schedule by hand. */
function clockOf({ spec, info, state }: ScheduleDescription): NightlyClock | undefined {
  const [calendar, ...others] = spec.calendars ?? [];
  const [hour, minute] = [calendar?.hour[0]?.start, calendar?.minute[0]?.start];
  if (others.length > 0 || hour === undefined || minute === undefined) return undefined;
  return { hour, minute, since: (info.lastUpdatedAt ?? info.createdAt).toISOString(), isPaused: state.paused };
}
