/** Virtual servers with real ones behind them, a client in front, and nf_tables in the middle. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { missingForLab, until } from "../support/segment-lab.ts";
import { type Director, ServersLab, VIP } from "../support/servers-lab.ts";

const skip = missingForLab(["nft", "sysctl"]) ?? false;

interface Parts {
  readonly service?: string;
  readonly more?: string;
  readonly check?: string;
  readonly server?: string;
  readonly port?: number;
}

/** A virtual server with the lab's three servers, checked ten times a second. */
function config({ service = "", more = "", check = "TCP_CHECK {\n}", server = "", port = 80 }: Parts = {}): string {
  const servers = ["11", "12", "13"].map(
    (last) => `real_server 10.62.0.${last} ${port} {\n${server.replaceAll("LAST", last)}\n${check}\n}`,
  );
  return `global_defs {
  script_user root
}
virtual_server ${VIP} ${port} {
  delay_loop 0.1
  delay_before_retry 0.1
  connect_timeout 3
  warmup 0
  ${service.includes("lvs_sched") ? "" : "lvs_sched rr"}
  ${service.includes("lvs_method") ? "" : "lvs_method NAT"}
  ${service.includes("protocol") ? "" : "protocol TCP"}
${service}
${servers.join("\n")}
}
${more}
`;
}

function counts(heard: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name of heard) found[name] = (found[name] ?? 0) + 1;
  return found;
}

/** A lab whose servers listen, and a director that has looked at them. */
async function withLab(
  text: string,
  body: (lab: ServersLab, director: Director) => Promise<void>,
  prepare: (lab: ServersLab) => Promise<void> = async (lab) => openAll(lab, "tcp", 80),
): Promise<void> {
  const lab = new ServersLab();
  try {
    await prepare(lab);
    const director = lab.start(text);
    try {
      await until("the service is there", () => !director.isRunning() || /Startup complete/.test(director.log()));
      await body(lab, director);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${director.log()}\n${lab.rules()}`, { cause: error });
    }
  } finally {
    await lab.close();
  }
}

async function openAll(lab: ServersLab, protocol: "tcp" | "udp", port: number): Promise<void> {
  for (const server of lab.servers) await lab.perform(server, { kind: "open", protocol, port });
}

describe("virtual servers by nf_tables", { skip }, () => {
  test("rr gives every server its turn, and everything is gone when the program ends", async () => {
    await withLab(config(), async (lab, director) => {
      assert.match(director.log(), /Virtual servers are done by nftables/);
      assert.deepEqual(counts(await lab.ask(9)), { one: 3, two: 3, three: 3 });
      await director.stop();
      assert.equal(lab.rules(), "");
      assert.match((await lab.ask(1))[0] ?? "", /^! ECONNREFUSED/);
    });
  });

  test("while another node's connections are sent on after a hand-over, those of virtual servers go their own way", async () => {
    for (const method of ["NAT", "DR"])
      await withLab(
        config({ service: `lvs_method ${method}` }),
        async (lab) => {
          const module = new URL("../../src/os/detours.js", import.meta.url).href;
          const link = Number(/^(\d+)/.exec(lab.ip("director", "-o", "link", "show", "eth0"))?.[1]);
          const script = `
            const { KernelDetours } = await import(${JSON.stringify(module)});
            const [address, to] = [Uint8Array.of(10, 61, 0, 100), Uint8Array.of(10, 61, 0, 2)];
            const detour = { address, to, linkIndex: ${link}, forwarded: { ports: [80], marks: [] } };
            const failure = new KernelDetours().set({ detours: [detour], silences: [] });
            if (failure !== undefined) throw new Error(failure.message);`;
          lab.inside("director", process.execPath, "--input-type=module", "-e", script);
          assert.match(lab.rules(), /table ip tandem_handover/);
          assert.deepEqual(counts(await lab.ask(3)), { one: 1, two: 1, three: 1 }, method);
        },
        async (lab) => {
          if (method === "DR") lab.prepareDirectRouting();
          await openAll(lab, "tcp", 80);
        },
      );
  });

  test("wrr goes by weight, in the order of IPVS, and weight 0 gets nothing", async () => {
    const text = config({ service: "lvs_sched wrr", server: "weight WLAST" })
      .replace("weight W11", "weight 3")
      .replace("weight W12", "weight 1")
      .replace("weight W13", "weight 0");
    await withLab(text, async (lab) => {
      const heard = await lab.ask(8);
      assert.deepEqual(counts(heard), { one: 6, two: 2 });
      const first = heard.indexOf("two");
      assert.equal(heard[first + 4], "two", "every fourth one");
    });
  });

  test("a client stays with its server by sh, and by persistence, and mh knows no other way after a change", async () => {
    const clients = ["10.61.0.2", "10.61.0.3", "10.61.0.4", "10.61.0.5"];
    for (const service of ["lvs_sched sh", "lvs_sched mh", "persistence_timeout 60"])
      await withLab(config({ service }), async (lab) => {
        const before = new Map<string, string>();
        for (const from of clients) {
          const heard = new Set(await lab.ask(4, { from }));
          assert.equal(heard.size, 1, `${service}: ${from}`);
          before.set(from, [...heard][0] as string);
        }
        if (service === "persistence_timeout 60") assert.ok(new Set(before.values()).size > 1, "rr for new clients");
        await lab.perform("three", { kind: "close", protocol: "tcp", port: 80 });
        await until("the dead one is out", () => !lab.rules().includes("10.62.0.13"));
        for (const from of clients) {
          const [now] = await lab.ask(1, { from });
          const own = before.get(from);
          if (own === "three") assert.ok(now === "one" || now === "two", `${service}: ${now}`);
          else if (service !== "lvs_sched sh") assert.equal(now, own, service);
        }
      });
  });

  test("a server that fails is left out and comes back, with keepalived's lines and notifies", async () => {
    const check = "TCP_CHECK {\n retry 2\n delay_before_retry 0.1\n}";
    const lab = new ServersLab();
    try {
      await openAll(lab, "tcp", 80);
      const say = (what: string): string => `"/bin/sh -c 'echo ${what} >> ${lab.folder}/said'"`;
      const server = `notify_up ${say("up LAST")}\nnotify_down ${say("down LAST")}`;
      const director = lab.start(config({ check, server }));
      await until("started", () => /Startup complete/.test(director.log()));
      await until("checked", () => (director.log().match(/TCP connection to .* success/g) ?? []).length === 3);
      await lab.perform("two", { kind: "close", protocol: "tcp", port: 80 });
      await until("out", () => /Removing service \[10\.62\.0\.12\]:tcp:80 from VS/.test(director.log()));
      await until("the kernel knows", () => !lab.rules().includes("10.62.0.12"));
      assert.match(director.log(), /TCP_CHECK on service \[10\.62\.0\.12\]:tcp:80 failed after 2 retries\./);
      assert.deepEqual(counts(await lab.ask(6)), { one: 3, three: 3 });
      await lab.perform("two", { kind: "open", protocol: "tcp", port: 80 });
      await until("in", () =>
        /Adding service \[10\.62\.0\.12\]:tcp:80 to VS \[10\.61\.0\.100\]:tcp:80/.test(director.log()),
      );
      await until("the kernel knows", () => lab.rules().includes("10.62.0.12"));
      assert.deepEqual(counts(await lab.ask(6)), { one: 2, two: 2, three: 2 });
      const said = (): string[] => readFileSync(`${lab.folder}/said`, "latin1").trim().split("\n");
      await until("both notifies have run", () => said().length >= 2);
      assert.deepEqual(said(), ["down 12", "up 12"]);
    } finally {
      await lab.close();
    }
  });

  test("without quorum the sorry server serves, and goes when it is back", async () => {
    const service = "quorum 2\nsorry_server 10.62.0.12 8080\nlvs_method NAT";
    await withLab(
      config({ service }),
      async (lab, director) => {
        await lab.perform("two", { kind: "open", protocol: "tcp", port: 8080 });
        await lab.perform("one", { kind: "close", protocol: "tcp", port: 80 });
        await until("one is out", () => /Removing service \[10\.62\.0\.11\]/.test(director.log()));
        await until("the kernel knows", () => !lab.rules().includes("10.62.0.11"));
        assert.deepEqual(counts(await lab.ask(4)), { two: 2, three: 2 });
        await lab.perform("three", { kind: "close", protocol: "tcp", port: 80 });
        await until("quorum is lost", () => /Lost quorum 2-0=2 > 1 for VS/.test(director.log()));
        assert.match(director.log(), /Adding sorry server \[10\.62\.0\.12\]:tcp:8080 to VS/);
        await until("the kernel knows", () => lab.rules().includes("10.62.0.12:8080"));
        assert.deepEqual(counts(await lab.ask(3)), { two: 3 });
        await lab.perform("one", { kind: "open", protocol: "tcp", port: 80 });
        await until("quorum is back", () => /Lost quorum(?:.|\n)*Gained quorum 2\+0=2 <= 2/.test(director.log()));
        await until("the kernel knows", () => !lab.rules().includes("8080"));
        assert.deepEqual(counts(await lab.ask(4)), { one: 2, two: 2 });
      },
      async (lab) => openAll(lab, "tcp", 80),
    );
  });

  test("when nobody is left clients are refused at once, not left waiting", async () => {
    await withLab(config(), async (lab, director) => {
      for (const server of lab.servers) await lab.perform(server, { kind: "close", protocol: "tcp", port: 80 });
      await until("all are out", () => (director.log().match(/Removing service/g) ?? []).length === 3);
      await until("the kernel knows", () => !lab.rules().includes("dnat"));
      assert.deepEqual(await lab.ask(2), ["! ECONNREFUSED", "! ECONNREFUSED"]);
    });
  });

  test("an established connection survives what happens to other servers, and a crash of the checker process", async () => {
    await withLab(config({ service: "lvs_sched sh" }), async (lab, director) => {
      const name = await lab.perform("client", { kind: "hold", host: VIP, port: 80 });
      const other = lab.servers.find((server) => server !== name) as string;
      const down = await lab.perform(other, { kind: "close", protocol: "tcp", port: 80 });
      assert.equal(down, "closed");
      await until("it is out", () => /Removing service/.test(director.log()));
      const address = `10.62.0.${11 + lab.servers.indexOf(other)}`;
      await until("the kernel knows", () => !lab.rules().includes(address));
      assert.equal(await lab.perform("client", { kind: "talk" }), name);
      const rules = lab.rules();
      process.kill(lab.pid(director.checkersPidFile), "SIGKILL");
      await until("noticed", () => /Healthcheck child process\(signal SIGKILL\) died: Respawning/.test(director.log()));
      assert.equal(lab.rules(), rules, "what is served is served on");
      await until("a new one", () => (director.log().match(/Virtual servers are done by/g) ?? []).length === 2);
      assert.ok(!(await lab.ask(6)).some((heard) => heard === other || heard.startsWith("!")));
      assert.equal(await lab.perform("client", { kind: "talk" }), name);
    });
  });

  test("when the whole program is killed the kernel takes everything away", async () => {
    await withLab(config(), async (lab, director) => {
      assert.match(lab.rules(), /table ip tandem_lvs/);
      await director.stop("SIGKILL");
      await until("gone", () => lab.rules() === "");
    });
  });

  test("UDP: clients of a dead server are scheduled anew, though they never stop sending", async () => {
    const check = "PING_CHECK {\n}";
    await withLab(
      config({
        service: "protocol UDP",
        port: 53,
        check: "DNS_CHECK {\n name example.com\n type A\n retry 0\n}",
      }).replace(check, ""),
      async (lab, director) => {
        const own = { port: 53, protocol: "udp", fromPort: 4711 } as const;
        // The service answers DNS questions; anything shorter gets the name.
        const [before] = await lab.ask(1, own);
        assert.ok(lab.servers.includes(before as string), before);
        await lab.perform(before as string, { kind: "close", protocol: "udp", port: 53 });
        await until("out", () => /Removing service/.test(director.log()));
        await until(
          "another one",
          () => !lab.rules().includes(`dnat to 10.62.0.1${lab.servers.indexOf(before as string) + 1}`),
        );
        const [after] = await lab.ask(1, own);
        assert.ok(after !== before && lab.servers.includes(after as string), after);
      },
      async (lab) => openAll(lab, "udp", 53),
    );
  });

  test("direct routing: the packet goes as it is, the answer comes by another way, connections stay", async () => {
    await withLab(
      config({ service: "lvs_method DR" }),
      async (lab, director) => {
        assert.deepEqual(counts(await lab.ask(6)), { one: 2, two: 2, three: 2 });
        const name = await lab.perform("client", { kind: "hold", host: VIP, port: 80 });
        await lab.ask(2);
        assert.equal(await lab.perform("client", { kind: "talk" }), name);
        await lab.perform("one", { kind: "close", protocol: "tcp", port: 80 });
        await until("out", () => /Removing service \[10\.62\.0\.11\]/.test(director.log()));
        await until("the kernel knows", () => !lab.rules().includes("dup to 10.62.0.11"));
        assert.deepEqual(counts(await lab.ask(4)), { two: 2, three: 2 });
      },
      async (lab) => {
        lab.prepareDirectRouting();
        await openAll(lab, "tcp", 80);
      },
    );
  });

  test("HTTP_GET judges the answer, inhibit_on_failure keeps the server with weight 0", async () => {
    const check = "HTTP_GET {\n url {\n path /\n status_code 200\n}\n retry 0\n}";
    await withLab(
      config({ check, service: "inhibit_on_failure" }),
      async (lab, director) => {
        await until("disabled", () => /Disabling service \[10\.62\.0\.13\]:tcp:80 of VS/.test(director.log()));
        assert.match(director.log(), /HTTP_CHECK on service \[10\.62\.0\.13\]:tcp:80 failed\./);
        await until("the kernel knows", () => lab.rules().includes("mod 2"));
        assert.deepEqual(counts(await lab.ask(4)), { one: 2, two: 2 });
      },
      async (lab) => {
        for (const server of lab.servers) {
          const status = server === "three" ? 500 : 200;
          await lab.perform(server, { kind: "open", protocol: "tcp", port: 80, status });
        }
      },
    );
  });

  test("MISC_CHECK sets weights, and a reload changes servers without touching the others", async () => {
    const check = "MISC_CHECK {\n misc_path \"/bin/sh -c 'exit $(cat FOLDER/LAST)'\"\n misc_dynamic\n}";
    const lab = new ServersLab();
    try {
      await openAll(lab, "tcp", 80);
      for (const [last, status] of [
        ["11", "5"],
        ["12", "3"],
        ["13", "1"],
      ])
        writeFileSync(`${lab.folder}/${last}`, `${status}`);
      const text = config({ service: "lvs_sched wrr", server: check, check: "" }).replaceAll("FOLDER", lab.folder);
      const director = lab.start(text);
      await until("weights are set", () => /Changing weight from 1 to 3 for active service/.test(director.log()));
      await until("three is out", () =>
        /Misc check for .* failed with retry disabled \(exited with status 1\)/.test(director.log()),
      );
      await until("the kernel knows", () => !lab.rules().includes("10.62.0.13") && lab.rules().includes("mod 4"));
      assert.deepEqual(counts(await lab.ask(8)), { one: 6, two: 2 });
      writeFileSync(
        director.file,
        text.replace("10.62.0.12 80", "10.62.0.13 81").replace("lvs_sched wrr", "lvs_sched rr"),
      );
      process.kill(lab.pid(director.pidFile), "SIGHUP");
      await until("the other one is gone", () =>
        /service \[10\.62\.0\.12\]:tcp:80 no longer exist/.test(director.log()),
      );
      await until("the kernel knows", () => !lab.rules().includes("10.62.0.12"));
      assert.deepEqual(new Set(await lab.ask(3)).has("two"), false);
    } finally {
      await lab.close();
    }
  });

  test("with routers beside: ha_suspend, the address by VRRP, the status of both halves", async () => {
    const router = `vrrp_instance VI_1 {
  version 3
  state BACKUP
  interface eth0
  virtual_router_id 7
  priority 100
  advert_int 0.2
  virtual_ipaddress {
    ${VIP}
  }
}`;
    const lab = new ServersLab();
    try {
      await openAll(lab, "tcp", 80);
      lab.ip("director", "addr", "del", `${VIP}/32`, "dev", "eth0");
      const director = lab.start(config({ service: "ha_suspend", more: router }), []);
      await until("the address is here", () => lab.ip("director", "addr", "show", "eth0").includes(VIP));
      const activated = (): number => (director.log().match(/Activating healthchecker for service/g) ?? []).length;
      await until("the checkers know", () => activated() === 3);
      await until("checked", () => (director.log().match(/TCP connection to .* success/g) ?? []).length === 3);
      assert.deepEqual(counts(await lab.ask(6)), { one: 2, two: 2, three: 2 });
      const { vrrp, servers } = await director.status();
      assert.equal(vrrp?.routers[0]?.role, "MASTER");
      assert.deepEqual([servers?.pid, servers?.method], [lab.pid(director.checkersPidFile), "nftables"]);
      assert.deepEqual(servers?.virtualServers[0]?.servers[0], {
        name: "[10.62.0.11]:tcp:80",
        alive: true,
        weight: 1,
        checkers: [{ kind: "TCP_CHECK", up: true, ran: true }],
      });
      await director.stop();
      assert.ok(!lab.ip("director", "addr", "show", "eth0").includes(VIP));
      assert.equal(lab.rules(), "");
    } finally {
      await lab.close();
    }
  });

  test("BFD_CHECK: a server that falls silent is out at once, and comes back with its session", async () => {
    const session = (neighbor: string): string => `bfd_instance s {\n neighbor_ip ${neighbor}\n}\n`;
    const lab = new ServersLab();
    try {
      await openAll(lab, "tcp", 80);
      const before = session("10.62.0.12");
      const text = config({ server: "LAST" })
        .replace(/^1[13]\n/gm, "")
        .replace(/^12\n/m, "BFD_CHECK {\n name s\n}\n");
      const director = lab.start(before + text);
      lab.start(session("10.62.0.1"), [], "two");
      await until("up", () => /BFD check of \[s\] RS\(\[10\.62\.0\.12\]:tcp:80\) is UP/.test(director.log()));
      lab.ip("two", "link", "set", "eth1", "down");
      await until("down", () => /BFD check of \[s\] RS\(\[10\.62\.0\.12\]:tcp:80\) is DOWN/.test(director.log()));
      await until("the kernel knows", () => !lab.rules().includes("10.62.0.12"));
      assert.deepEqual(counts(await lab.ask(4)), { one: 2, three: 2 });
      lab.ip("two", "link", "set", "eth1", "up");
      lab.ip("two", "route", "add", "default", "via", "10.62.0.1");
      await until("the kernel knows", () => lab.rules().includes("10.62.0.12"));
      assert.deepEqual(counts(await lab.ask(3)), { one: 1, two: 1, three: 1 });
    } finally {
      await lab.close();
    }
  });

  test("a checker process that hangs is replaced", async () => {
    await withLab(config(), async (lab, director) => {
      process.kill(lab.pid(director.checkersPidFile), "SIGSTOP");
      await until(
        "noticed",
        () => /Healthcheck process hangs: silent for 10000 ms, killing it/.test(director.log()),
        60_000,
      );
      await until("a new one", () => (director.log().match(/Virtual servers are done by/g) ?? []).length === 2);
      assert.equal((await director.status()).servers?.restarts, 1);
      assert.deepEqual(counts(await lab.ask(3)), { one: 1, two: 1, three: 1 });
    });
  });

  test("what the kernel can't do is refused by name", async () => {
    const lab = new ServersLab(["one"]);
    try {
      for (const [service, name] of [
        ["lvs_sched wlc", "lvs_sched wlc"],
        ["lvs_method TUN", "lvs_method TUN"],
        ["protocol UDP\nops", "ops"],
      ] as const) {
        const director = lab.start(config({ service }));
        await until("refused", () => !director.isRunning());
        assert.ok(director.log().includes(`${name} needs IPVS, which this kernel does not have`), director.log());
      }
    } finally {
      await lab.close();
    }
  });
});
