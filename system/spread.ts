/** A place from 0 to `places` - 1 that a name decides: what has many names comes spread over them, and each is always at the same. */
export function spread(name: string, places: number): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.charCodeAt(0)) % places;
  return sum;
}
