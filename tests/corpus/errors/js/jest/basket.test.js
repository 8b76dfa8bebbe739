const { basket } = require("./basket");

test("empty", () => {
  expect(basket()).toEqual([]);
});
