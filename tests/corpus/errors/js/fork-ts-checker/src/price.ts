export function total(each: number, count: number): number {
  return each * count;
}
