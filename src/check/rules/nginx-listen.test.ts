import assert from "node:assert/strict";
import { test } from "node:test";
import { found, GOOD_NGINX } from "../subject.cases.ts";

const listen = (text: string) => ({ nginx: GOOD_NGINX.replace("listen 88", `listen ${text}`) });

test("all addresses, and the virtual one next to them, are fine", () => {
  assert.deepEqual(found("nginx-listen", {}), []);
  assert.deepEqual(found("nginx-listen", listen("0.0.0.0:88")), []);
  assert.deepEqual(found("nginx-listen", listen("192.168.50.130:88; listen 88")), []);
});

test("another address only is an error, the virtual one only a warning", () => {
  const [other] = found("nginx-listen", listen("192.168.50.133:88"));
  assert.deepEqual(
    [other?.severity, other?.title],
    ["error", "nginx does not listen on the virtual address 192.168.50.130"],
  );
  const [own] = found("nginx-listen", listen("192.168.50.130:88"));
  assert.equal(own?.severity, "warning");
  assert.match(own?.fix ?? "", /ip_nonlocal_bind/);
});
