export function title(id: number): string {
  return "order " + idd;
}
