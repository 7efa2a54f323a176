/** Types that follow from the table of fields. Types only: workflow code may import them. */
import type { FIELDS, FieldValue } from './fields.ts';

export type Fields = typeof FIELDS;

type ValueOf<V extends FieldValue> = V extends { is: 'text' }
  ? string
  : V extends { is: 'choice'; values: infer Values extends readonly string[] }
    ? Values[number]
    : V extends { is: 'size' | 'count' }
      ? number
      : V extends { is: 'yes or no' }
        ? boolean
        : V extends { is: 'list' }
          ? readonly string[]
          : V extends { is: 'counts'; keys: infer Keys }
            ? { readonly [K in keyof Keys]?: number }
            : never;

/** What is kept of a field. */
export type FieldOf<K extends keyof Fields> = ValueOf<Fields[K]['value']>;

type With<P> = { [K in keyof Fields]: Fields[K] extends P ? K : never }[keyof Fields];

/** Keys of orders, and of plans. */
export type OrderKey = With<{ order: object }>;
export type PlanKey = With<{ plan: unknown }>;
/** Keys of plans that may be left out and have no default. */
export type OptionalPlanKey = With<{ plan: 'optional' }>;
/** Keys of plans without which there is no plan. */
export type RequiredPlanKey = With<{ plan: 'required' }>;

type KeptName<K extends keyof Fields> = Fields[K] extends { keptAs: infer Name } ? (Name extends string ? Name : never) : K;
/** Fields that every guest has. */
type AlwaysKept = With<{ isAlwaysKept: true }> | Exclude<PlanKey, OptionalPlanKey>;

/** Groups that are objects of their own; what identifies a guest stands beside them. */
export type FieldGroup = Exclude<Fields[keyof Fields]['group'], 'identity'>;

/** What is kept of these fields, side by side. */
type Flat<Keys extends keyof Fields> = {
  readonly [K in Keys & AlwaysKept as KeptName<K>]: FieldOf<K>;
} & {
  readonly [K in Exclude<Keys, AlwaysKept> as KeptName<K>]?: FieldOf<K>;
};

/** What is kept of these fields, in the groups of the table. */
type Kept<Keys extends keyof Fields> = Flat<Keys & With<{ group: 'identity' }>> & {
  readonly [G in FieldGroup]: Flat<Keys & With<{ group: G }>>;
};

/** What is kept of a guest, as far as the table says it, side by side: as it is before it is put in groups. */
export type FlatFields = Flat<keyof Fields>;

/** The same, in groups. */
export type GuestFields = Kept<keyof Fields>;

/** What a plan decides of a guest. */
export type PlanFields = Kept<PlanKey>;
