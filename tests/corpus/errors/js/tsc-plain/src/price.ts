export function total(prices: string[]): number {
  return prices.join("+");
}
