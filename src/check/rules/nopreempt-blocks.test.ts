import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

const nopreempt = replace("advert_int 1", "advert_int 1\nnopreempt");

test("nopreempt on the preferred node, or with weight 0, blocks nothing", () => {
  assert.deepEqual(found("nopreempt-blocks", { a: nopreempt }), []);
  assert.deepEqual(
    found("nopreempt-blocks", {
      b: (text) => nopreempt(text.replace("weight -20", "weight 0")),
      a: replace("weight -20", "weight 0"),
    }),
    [],
  );
});

test("nopreempt on the backup keeps it from taking over from a lowered priority", () => {
  const [finding] = found("nopreempt-blocks", { b: nopreempt });
  assert.equal(finding?.severity, "error");
  assert.match(finding?.title ?? "", /nopreempt keeps b from taking over when nginx dies on a/);
});
