import assert from "node:assert/strict";
import { test } from "node:test";
import { readerOf } from "./example.ts";
import { loadKeepalived } from "./load.ts";
import { printKeepalivedDiagnostic } from "./report.ts";

const FILE = "keepalived.conf";

function load(own: string, global = "") {
  const text = `global_defs {\n${global}\n}\nvrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 33\nvirtual_ipaddress { 192.0.2.9 }\n${own}\n}\n`;
  const { config, diagnostics, isUsable } = loadKeepalived(FILE, {
    reader: readerOf({ [FILE]: text }),
    configId: "node",
  });
  const said = diagnostics.map(printKeepalivedDiagnostic).join("\n");
  return { damping: config.instances[0]?.flapDamping, isUsable, said };
}

const DEFAULTS = { halfLifeMs: 60_000, suppress: 2000, reuse: 750, maxSuppressMs: 240_000 };

test("unless it is asked for, only what track_upstream takes is damped", () =>
  assert.deepEqual(load("").damping, { scope: "upstreams", ...DEFAULTS }));

test("asked for, everything is", () => {
  for (const own of ["flap_damping", "flap_damping on"])
    assert.deepEqual(load(own).damping, { scope: "all", ...DEFAULTS });
  assert.deepEqual(load("", "flap_damping").damping, { scope: "all", ...DEFAULTS });
});

test("off means nothing, in an instance and for all", () => {
  assert.equal(load("flap_damping off", "flap_damping").damping, undefined);
  assert.equal(load("", "flap_damping off").damping, undefined);
  assert.notEqual(load("flap_damping", "flap_damping off").damping, undefined);
});

test("options are read; the longest time follows the half-life", () => {
  assert.deepEqual(load("flap_damping half_life 10 suppress 3000 reuse 500").damping, {
    scope: "all",
    halfLifeMs: 10_000,
    suppress: 3000,
    reuse: 500,
    maxSuppressMs: 40_000,
  });
  assert.equal(load("flap_damping max_suppress 90").damping?.maxSuppressMs, 90_000);
});

test("what is not understood makes the file unusable", () => {
  for (const [own, message] of [
    ["flap_damping often", /flap_damping: unknown option 'often'/],
    ["flap_damping half_life", /half_life needs a number/],
    ["flap_damping half_life 0", /half_life: number '0' outside range \[1, 86400\]/],
    ["flap_damping off half_life 3", /'half_life' behind off/],
    ["flap_damping suppress 1000 reuse 1000", /\(VI_1\) flap_damping: reuse 1000 is not below suppress 1000/],
    ["flap_damping max_suppress 60", /with max_suppress 60 no penalty reaches suppress 2000/],
  ] as const) {
    const { isUsable, said } = load(own);
    assert.match(said, message);
    assert.equal(isUsable, false, own);
  }
});

test("an owner of addresses has nothing that could be damped", () => {
  const { damping, said } = load("priority 255\nflap_damping");
  assert.equal(damping, undefined);
  assert.match(said, /flap_damping has no effect with priority 255/);
  assert.equal(load("priority 255", "flap_damping").said, "");
});
