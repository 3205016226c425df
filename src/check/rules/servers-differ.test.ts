import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

function server(port: number, real = "real_server 10.0.0.1 80 {\nTCP_CHECK {\n}\n}"): (text: string) => string {
  const service = `virtual_server 192.168.50.130 ${port} {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n${real}\n}`;
  return replace("vrrp_instance VI_1", `${service}\nvrrp_instance VI_1`);
}

test("the same virtual servers are fine", () => {
  assert.deepEqual(found("servers-differ", {}), []);
  assert.deepEqual(found("servers-differ", { both: server(80) }), []);
});

test("a virtual server that only one node has is a warning", () => {
  const titles = found("servers-differ", { a: server(80), b: server(81) }).map(({ title }) => title);
  assert.deepEqual(titles, [
    "Only a has virtual server [192.168.50.130]:tcp:80",
    "Only b has virtual server [192.168.50.130]:tcp:81",
  ]);
});

test("other real servers, or other weights of them, are a warning with both places", () => {
  const heavy = "real_server 10.0.0.1 80 {\nweight 2\nTCP_CHECK {\n}\n}";
  const [finding] = found("servers-differ", { a: server(80), b: server(80, heavy) });
  assert.match(
    finding?.title ?? "",
    /10\.0\.0\.1\]:tcp:80 with weight 1 by NAT \(only on a\).* weight 2 by NAT \(only on b\)$/,
  );
  assert.equal(finding?.places.length, 2);
});
