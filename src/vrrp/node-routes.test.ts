import assert from "node:assert/strict";
import { test } from "node:test";
import { readerOf } from "../conf/keepalived/example.ts";
import { loadKeepalived } from "../conf/keepalived/load.ts";
import type { ConfiguredRoute, ConfiguredRule } from "../conf/keepalived/route-types.ts";
import { FakeRoutes } from "../io/routes-fake.ts";
import { FakeRouting } from "../io/routing-fake.ts";
import { exampleAddress } from "./example.ts";
import { NodeRoutes } from "./node-routes.ts";
import type { Farewell } from "./ports.ts";

/** What these lines mean. */
function items(
  routes: string,
  rules: string,
): { routes: readonly ConfiguredRoute[]; rules: readonly ConfiguredRule[] } {
  const text = `static_routes {\n${routes}\n}\nstatic_rules {\n${rules}\n}\n`;
  return loadKeepalived("/a", { reader: readerOf({ "/a": text }), configId: "a" }).config.statics;
}

function world() {
  const routing = new FakeRouting([{ name: "eth0" }]);
  const routes = new FakeRoutes();
  const logs: string[] = [];
  const guarded = new Map<string, Farewell | undefined>();
  const view = {
    get links() {
      return routing.links();
    },
    get addresses() {
      return routing.addresses();
    },
  };
  const node = new NodeRoutes(
    {
      routes,
      routing,
      guard: (name, farewell) => void guarded.set(name, farewell),
      log: { enabled: () => true, write: (_, text) => logs.push(text) },
    },
    view,
  );
  return { routing, routes, logs, guarded, node, present: () => [...routes.present] };
}

const FIRST = items("10.1.0.0/16 dev eth0\n10.2.0.0/16 dev eth0", "from 10.1.0.0/16 table 100 priority 5");
const SECOND = items("10.2.0.0/16 dev eth0\n10.3.0.0/16 dev eth0", "");

test("what a router claims is set and guarded, exchanged, and gone when it is released", () => {
  const { node, present, guarded, logs } = world();
  node.claim("VI", FIRST, 0);
  const route = (net: number) => `route 10.${net}.0.0/16 link 1 table 254`;
  assert.deepEqual(present(), [route(1), route(2), "rule 10.1.0.0/16 table 100 at 5"]);
  assert.deepEqual(guarded.get("VI routes and rules")?.items?.routes.length, 2);
  node.claim("VI", SECOND, 0);
  assert.deepEqual(present(), [route(2), route(3)]);
  node.release("VI");
  node.release("VI");
  assert.deepEqual(present(), []);
  assert.equal(guarded.get("VI routes and rules"), undefined);
  assert.equal(node.nextMs, Number.POSITIVE_INFINITY);
  assert.deepEqual(logs, []);
  node.claim("VI", items("", ""), 0);
  assert.equal(node.nextMs, Number.POSITIVE_INFINITY, "nothing to look after");
});

test("what is lost is restored and said; what the kernel refuses is said once; a missing link is waited for", () => {
  const { node, routes, routing, logs } = world();
  node.claim("VI", FIRST, 0);
  routes.present.clear();
  node.ring(node.nextMs);
  assert.equal(routes.present.size, 3);
  assert.deepEqual(logs[0], "(VI) Restoring deleted route 10.1.0.0/16 dev eth0");
  routes.present.clear();
  routes.failure = { errno: 100, message: "add: ENETDOWN" };
  logs.length = 0;
  for (let i = 0; i < 3; i++) node.ring(node.nextMs);
  assert.equal(logs.length, 3);
  assert.equal(logs[0], "(VI) cannot set route 10.1.0.0/16 dev eth0: add: ENETDOWN");
  routes.failure = undefined;
  node.claim("VI", items("10.4.0.0/16 dev eth4", ""), 0);
  assert.equal(routes.present.size, 0);
  routing.createLink({ name: "eth4" });
  node.ring(node.nextMs);
  assert.equal(routes.present.size, 1);
});

test("static addresses are set, restored and exchanged; the guard knows nothing of static items", () => {
  const { node, routing, guarded, present } = world();
  const [one, two] = [exampleAddress("192.0.2.1"), exampleAddress("192.0.2.2")];
  node.setStatics({ ...FIRST, addresses: [one] }, 0);
  assert.equal(routing.addresses().length, 1);
  routing.removeAddress({ linkIndex: 1, ip: one.address, prefixLength: 32 });
  node.ring(node.nextMs);
  assert.equal(routing.addresses().length, 1);
  node.setStatics({ addresses: [two], routes: [], rules: [] }, 0);
  assert.deepEqual(
    routing.addresses().map(({ ip }) => ip[3]),
    [2],
  );
  assert.deepEqual(present(), []);
  assert.equal(guarded.size, 0);
  node.stop();
  assert.deepEqual(routing.addresses(), []);
});
