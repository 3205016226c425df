import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

function servers(...checkers: readonly string[]): (text: string) => string {
  const reals = checkers.map((checker, index) => `real_server 10.0.0.${index + 1} 80 {\n${checker}\n}`);
  const service = `virtual_server 192.168.50.130 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n${reals.join("\n")}\n}`;
  return replace("vrrp_instance VI_1", `${service}\nvrrp_instance VI_1`);
}

test("real servers with a checker each are fine, and so are none", () => {
  assert.deepEqual(found("server-unchecked", {}), []);
  assert.deepEqual(found("server-unchecked", { both: servers("TCP_CHECK {\n}", "PING_CHECK {\n}") }), []);
});

test("one without a checker is a warning with its place", () => {
  const [finding] = found("server-unchecked", { both: servers("TCP_CHECK {\n}", "weight 2") });
  assert.equal(finding?.severity, "warning");
  assert.match(
    finding?.title ?? "",
    /^\[10\.0\.0\.2\]:tcp:80 of virtual server \[192\.168\.50\.130\]:tcp:80 has no checker/,
  );
  assert.equal(finding?.places[0]?.line, 19);
});
