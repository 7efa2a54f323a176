/** Objects without keys that hold nothing: with `exactOptionalPropertyTypes`, an optional key is left out, never undefined. Pure. */

/** The keys whose values may be undefined are optional. */
type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The same object without the keys whose values are undefined. */
export function defined<const T extends object>(from: T): Defined<T> {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined)) as Defined<T>;
}
