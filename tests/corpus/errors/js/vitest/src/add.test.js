import { add } from "./add.js";

test("adds", () => {
  expect(add(1, 1)).toBe(2);
});
