export function routes(table) {
  return table.map((row) => row.path);
}
