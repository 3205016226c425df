import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

const unicast = (peer: string) => (text: string) =>
  text.replace("mcast_src_ip", "unicast_src_ip").replace("advert_int 1", `unicast_peer {\n${peer}\n}`);

test("multicast on both, and peers that name each other, are fine", () => {
  assert.deepEqual(found("unicast-mismatch", {}), []);
  assert.deepEqual(found("unicast-mismatch", { a: unicast("192.168.50.134"), b: unicast("192.168.50.133") }), []);
});

test("unicast on one node only, a wrong peer and different groups are errors", () => {
  assert.match(
    found("unicast-mismatch", { a: unicast("192.168.50.134") })[0]?.title ?? "",
    /a sends to unicast peers, b to the multicast group/,
  );
  const [finding] = found("unicast-mismatch", { a: unicast("192.168.50.135"), b: unicast("192.168.50.133") });
  assert.equal(finding?.fix, "unicast_peer { 192.168.50.134 } on a");
  assert.match(
    found("unicast-mismatch", { b: replace("advert_int 1", "mcast_dst_ip 224.0.0.19") })[0]?.title ?? "",
    /groups differ/,
  );
});
