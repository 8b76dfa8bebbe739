const { total } = require("./price");

test("two", () => {
  expect(total(2, 2)).toBe(4);
});

test("three", () => {
  expect(total(2, 3)).toBe(6);
});
