import assert from "node:assert/strict";
import { test } from "node:test";

test("total", () => {
  assert.equal(2 + 3, 6);
});
