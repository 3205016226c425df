/** Virtual services in a network of their own: the kernel takes every shape, nft(8) can list it, and nothing is left. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import type { ServiceDestination, ServiceSettings } from "../io/virtual-services.ts";
import { NftServices } from "./nft-services.ts";
import { inPrivateNetwork } from "./private-network.cases.ts";

const base: ServiceSettings = {
  name: "s",
  ranges: [{ ip: Uint8Array.of(10, 0, 0, 1), end: Uint8Array.of(10, 0, 0, 1), port: 80 }],
  marks: [],
  protocol: "tcp",
  scheduler: "rr",
  flags: { onePacket: false, first: false, second: false, third: false },
  persistence: undefined,
};
const persistence = { timeoutS: 60, granularity: 0xffffff00, engine: undefined };

function destination(last: number, more: Partial<ServiceDestination> = {}): ServiceDestination {
  return {
    ip: Uint8Array.of(10, 0, 1, last),
    port: 80,
    method: "NAT",
    tunnel: { type: "ipip", port: 0, checksum: "nocsum" },
    weight: 1,
    upperThreshold: 0,
    lowerThreshold: 0,
    ...more,
  };
}

function v6(last: number): Uint8Array {
  return Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last);
}

const NFT = spawnSync("nft", ["-v"]).error === undefined;

inPrivateNetwork(import.meta.url, () => {
  const list = (): string => {
    const { status, stdout, stderr } = spawnSync("nft", ["list", "ruleset"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const options = { skip: NFT ? false : "nft is not installed" };

  test("every shape of a service is taken, listed, changed into every other one, and removed", options, () => {
    const services = new NftServices(() => [Uint8Array.of(10, 0, 1, 9)]);
    const dr = { method: "DR" } as const;
    const shapes: [string, Partial<ServiceSettings>, ServiceDestination[], RegExp][] = [
      ["rr", {}, [destination(1), destination(2, { port: 81 })], /numgen inc mod 2 vmap/],
      ["wrr", { scheduler: "wrr" }, [destination(1, { weight: 3 }), destination(2)], /numgen inc mod 4 vmap/],
      ["sh", { scheduler: "sh" }, [destination(1)], /jhash ip saddr mod 256 .* vmap/],
      [
        "sh with port",
        { scheduler: "sh", flags: { ...base.flags, second: true } },
        [destination(1)],
        /jhash ip saddr \. \w+ sport mod 256/,
      ],
      ["mh", { scheduler: "mh" }, [destination(1), destination(2)], /mod 4093/],
      ["persistence", { persistence }, [destination(1), destination(2)], /ip saddr & 255\.255\.255\.0 == @/],
      ["direct", {}, [destination(1, dr), destination(2, dr)], /dup to 10\.0\.1\.1/],
      ["direct by hash", { scheduler: "mh" }, [destination(1, dr)], /dup to 10\.0\.1\.1/],
      ["direct, persistent", { persistence }, [destination(1, dr)], /update @.* timeout 1m/],
      ["direct, here", {}, [destination(9, dr)], /accept/],
      ["direct, to the loopback", {}, [destination(1, { ...dr, ip: Uint8Array.of(127, 0, 0, 1) })], /accept/],
      ["nobody", {}, [], /reject/],
      ["UDP", { protocol: "udp" }, [destination(1)], /udp dport 80/],
      ["SCTP", { protocol: "sctp" }, [destination(1)], /sctp dport 80/],
      [
        "any port",
        { ranges: [{ ...base.ranges[0], port: 0 } as (typeof base.ranges)[number]], persistence },
        [destination(1, { port: 0 })],
        /dnat to 10\.0\.1\.1\n/,
      ],
      [
        "a range",
        { ranges: [{ ip: Uint8Array.of(10, 0, 0, 1), end: Uint8Array.of(10, 0, 0, 9), port: 80 }] },
        [destination(1)],
        /10\.0\.0\.1-10\.0\.0\.9/,
      ],
      [
        "a mark",
        { ranges: [], marks: [{ mark: 7, family: 4 }], protocol: undefined },
        [destination(1, { port: 0 })],
        /meta mark 0x0*7/,
      ],
    ];
    for (const [name, more, destinations, expected] of shapes) {
      const settings = { ...base, name: "s", ...more };
      services.remove("s");
      assert.equal(services.set(settings, destinations), undefined, name);
      assert.match(list(), expected, name);
    }
    // Among those for the same packets every one can follow every other one.
    const same = shapes.filter(([, { ranges, marks, protocol }]) => (ranges ?? marks ?? protocol) === undefined);
    for (const [from, before, old] of same)
      for (const [to, after, next] of same) {
        assert.equal(services.set({ ...base, ...before }, old), undefined, from);
        assert.equal(services.set({ ...base, ...after }, next), undefined, `${from} → ${to}`);
      }
    services.close();
    assert.equal(list(), "");
  });

  test("a service of a thousand servers is one transaction", options, () => {
    const services = new NftServices(() => []);
    const many = Array.from({ length: 1024 }, (_, index) =>
      destination(0, { ip: Uint8Array.of(10, 0, index >> 8, index & 0xff), weight: 1 + (index % 3) }),
    );
    for (const scheduler of ["wrr", "mh"]) {
      assert.equal(services.set({ ...base, scheduler, persistence }, many), undefined, scheduler);
      assert.equal(services.set({ ...base, scheduler, persistence }, many.slice(1)), undefined, scheduler);
    }
    services.close();
    assert.equal(list(), "");
  });

  test("IPv6 has tables of its own", options, () => {
    const services = new NftServices(() => []);
    const ranges = [{ ip: v6(1), end: v6(1), port: 80 }];
    for (const method of ["NAT", "DR"] as const)
      for (const more of [
        {},
        { persistence: { ...persistence, granularity: 64 } },
        { scheduler: "sh", flags: { ...base.flags, second: true } },
      ]) {
        const to = [destination(0, { ip: v6(2), method }), destination(0, { ip: v6(3), method })];
        assert.equal(services.set({ ...base, name: method, ranges, ...more }, to), undefined, JSON.stringify(more));
      }
    assert.match(list(), /table ip6 tandem_lvs/);
    services.close();
  });

  test("a server's number stays when others come and go, and clients that are remembered with it", options, () => {
    const services = new NftServices(() => []);
    const settings = { ...base, persistence };
    services.set(settings, [destination(1), destination(2)]);
    const chainOf = (last: number): string =>
      new RegExp(`chain (\\S+) \\{\\n[^}]*update[^}]*\\}\\n\\s*dnat to 10\\.0\\.1\\.${last}:80`).exec(list())?.[1] ??
      "none";
    const before = chainOf(2);
    services.set(settings, [destination(2), destination(3)]);
    assert.equal(chainOf(2), before);
    services.set(settings, [destination(2, { weight: 0 }), destination(3)]);
    assert.doesNotMatch(list(), new RegExp(`@${before} goto`), "who takes no connections gets no clients back either");
    services.close();
  });

  test("the kernel removes everything when the owner dies without a word", options, () => {
    const script = `
      const { NftServices } = await import(${JSON.stringify(new URL("./nft-services.js", import.meta.url).href)});
      const { spawnSync } = await import("node:child_process");
      const services = new NftServices(() => []);
      services.set(${JSON.stringify({ ...base, ranges: [] })}, []);
      spawnSync("nft", ["list", "ruleset"], { stdio: ["ignore", 1, 2] });
      process.kill(process.pid, "SIGKILL");`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    assert.match(stdout, /^table ip tandem_lvs/);
    assert.equal(list(), "");
  });

  test("somebody else's rules stay as they are", options, () => {
    spawnSync("nft", ["add", "table", "ip", "mine"]);
    const services = new NftServices(() => []);
    services.set(base, [destination(1)]);
    services.close();
    assert.match(list(), /^table ip mine/);
    spawnSync("nft", ["delete", "table", "ip", "mine"]);
  });
});
