/** Every process of a node fails in every way, cell by cell of docs/faults.md: where the address is, what is said on the wire and in the log. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { StatusDocument } from "../../src/admin/status.ts";
import { CHECKOUT } from "../../src/lab/flavours.ts";
import { Topology } from "../../src/lab/topology.ts";
import { inPrivateNetwork } from "../../src/os/private-network.cases.ts";
import { SUPERVISOR_BOUND_MS } from "../../src/process/watchdog.ts";
import { FAULT_TABLE, type FaultCell, SIGNALS } from "../support/fault-table.ts";
import { Node, staged, until } from "./lab-node.ts";

const VIP = "192.168.50.130";
/** A file system of its own, which can be full. */
const DISK = "/run/disk";
const ENV = {
  NODE_OPTIONS: `--max-old-space-size=96 --import ${path.join(CHECKOUT, "dist/test/support/fault-injection.js")}`,
};
const NGINX = `user root; env NODE_OPTIONS; worker_processes 2; worker_hang_timeout 1s; working_directory /run/work;
pid ${DISK}/nginx.pid; error_log stderr notice; error_log ${DISK}/error.log notice; events {}
http { access_log ${DISK}/access.log; keepalive_timeout 0; server { listen 80 reuseport; location / { return 200 hello; } } }`;

function keepalivedConf(name: string, priority: number, more = ""): string {
  return `global_defs {\nrouter_id ${name}\npeer_key a-secret-of-this-test\nflight_recorder_dir ${DISK}/flights\nflight_recorder_files 3\nenable_script_security\nscript_user root\n}
vrrp_script chk { script "/bin/sh /run/chk"\ninterval 1\ntimeout 1\n}
vrrp_instance VI_1 { interface eth0\nvirtual_router_id 33\npriority ${priority}\nversion 3\nadvert_int 1
virtual_ipaddress {\n${VIP}\n}\ntrack_script {\nchk\n}\n${more}}
virtual_server 192.168.50.150 80 { lvs_sched rr\nlvs_method NAT\nprotocol TCP\nreal_server 192.168.50.201 80 { TCP_CHECK { connect_timeout 1 } } }\n`;
}

/** How `ps` shows each process. */
const TITLES: Readonly<Record<string, RegExp>> = {
  "supervisor and nginx master (`tandem up`)": /^tandem: up /,
  "VRRP process": /^keepalived: vrrp /,
  "checker process": /^keepalived: healthcheck /,
  worker: /^nginx: worker process$/,
  "spare worker": /^nginx: spare worker /,
};

async function pidsOf(node: Node, title: RegExp): Promise<readonly string[]> {
  const lines = (await node.agent.call("processes")).map((line) => /^(\d+) (.*)$/.exec(line) ?? []);
  return lines.flatMap(([, pid, words]) => (pid !== undefined && title.test(words ?? "") ? [pid] : []));
}

class Pair {
  readonly a: Node;
  readonly b: Node;
  readonly #topology: Topology;

  constructor(topology: Topology) {
    this.#topology = topology;
    this.a = new Node("a", topology.station("a").agent);
    this.b = new Node("b", topology.station("b").agent);
  }

  static async start(): Promise<Pair> {
    const station = (name: string, host: number) => ({ name, interface: "eth0", addresses: [`192.168.50.${host}/24`] });
    const pair = new Pair(await Topology.build("sw", [station("a", 133), station("b", 134), station("c", 201)]));
    for (const node of [pair.a, pair.b]) {
      await node.agent.call("stage", [
        staged("/etc/keepalived/keepalived.conf", keepalivedConf(node.name, node === pair.a ? 100 : 90)),
        staged("/etc/nginx/nginx.conf", NGINX),
        staged("/run/chk", "exit 0\n"),
      ]);
      await node.agent.call("watchAddresses");
      await node.run(["mkdir", DISK, "/run/work"]);
      await node.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", DISK]);
      await node.start(ENV);
    }
    await until("the pair is there", () => pair.isAtHome(), 60_000);
    return pair;
  }

  close(): Promise<void> {
    return this.#topology.close();
  }

  isAtHome(): boolean {
    return this.a.holds(VIP) && !this.b.holds(VIP);
  }

  /** Whether a client gets its answer, over a new connection. */
  async answers(): Promise<boolean> {
    const settings = { ip: VIP, port: 80, everyMs: 0, timeoutMs: 500 };
    return (await this.#topology.station("c").agent.call("fetch", settings)) === "hello";
  }

  /** Each of several connections gets its answer, whichever worker it belongs to. */
  async answersEverybody(): Promise<boolean> {
    for (let i = 0; i < 12; i++) if (!(await this.answers())) return false;
    return true;
  }

  /** Adverts of priority 0 that the partner has heard. */
  async goodbyes(): Promise<number> {
    const { vrrp } = JSON.parse(await this.b.tandem("status", "--json")) as StatusDocument;
    assert.ok(vrrp?.routers[0] !== undefined);
    return vrrp.routers[0].counters["priorityZeroReceived"] ?? 0;
  }

  async signal(process: string, signal: string, onlyOne: boolean): Promise<void> {
    const title = TITLES[process] as RegExp;
    await until(`there is a ${process}`, async () => (await pidsOf(this.a, title)).length > 0);
    const pids = await pidsOf(this.a, title);
    await this.a.run(["kill", `-${signal}`, ...(onlyOne ? pids.slice(0, 1) : pids)]);
  }

  async write(file: string, text: string): Promise<void> {
    await this.a.agent.call("writeFile", staged(file, text));
  }

  async reload(more: string): Promise<void> {
    await this.write("/etc/keepalived/keepalived.conf", keepalivedConf("a", 100, more));
    await this.a.agent.call("signal", { name: "tandem", signal: "SIGHUP" });
  }

  fill(): Promise<string> {
    return this.a.run(["dd", "if=/dev/zero", `of=${DISK}/filler`, "bs=4k"]);
  }

  free(): Promise<string> {
    return this.a.run(["rm", "-f", `${DISK}/filler`]);
  }
}

/** What is done to a node, and what makes it well again where it doesn't get well by itself. */
interface Play {
  inject(pair: Pair): Promise<unknown>;
  restore?(pair: Pair): Promise<unknown>;
}

const NOTIFY_HANGS = 'notify_master "/bin/sleep 1000"\n';
const NOTIFY_FAILS = 'notify "/run/notify/below-a-file"\n';

const restart = async ({ a }: Pair): Promise<void> => {
  await until(
    "its processes have ended",
    async () => (await pidsOf(a, /^(tandem: up|nginx: |keepalived: )/)).length === 0,
  );
  await a.start(ENV);
};

/** Scripts are told of roles. */
async function moveAndBack(pair: Pair): Promise<void> {
  await pair.write("/run/chk", "exit 1\n");
  await until("the role has changed", () => pair.b.holds(VIP) && !pair.a.holds(VIP));
  await pair.write("/run/chk", "exit 0\n");
  await until("and changed back", () => pair.isAtHome());
}

const PLAYS: Readonly<Record<string, Play>> = {
  "every worker: none can be started": {
    inject: async (pair) => {
      await pair.a.run(["rmdir", "/run/work"]);
      await pair.signal("worker", "KILL", false);
    },
    restore: async (pair) => {
      await pair.a.run(["mkdir", "/run/work"]);
      await pair.reload("");
    },
  },
  "check script (`vrrp_script`): SIGSTOP": {
    inject: (pair) => pair.write("/run/chk", "kill -STOP $$\n"),
    restore: (pair) => pair.write("/run/chk", "exit 0\n"),
  },
  "notify script: hangs": {
    inject: async (pair) => {
      await pair.reload(NOTIFY_HANGS);
      await moveAndBack(pair);
      await until("the script hangs", async () => (await pidsOf(pair.a, /^\/bin\/sleep 1000$/)).length > 0);
    },
  },
  "notify script: cannot be started": {
    inject: async (pair) => {
      await pair.write("/run/notify", "a file\n");
      await pair.reload(NOTIFY_FAILS);
      await moveAndBack(pair);
    },
    restore: (pair) => pair.reload(""),
  },
  "all: full disk for logs, pid file and flight records": {
    inject: async (pair) => {
      await pair.fill();
      await pair.reload("");
      // What is left of its last page takes some lines more.
      const isFull = (): boolean =>
        pair.a.lines.some((line) => line.includes("No space left on device) while logging"));
      await until("the access log is full", async () => (await pair.answersEverybody()) && isFull());
    },
    restore: (pair) => pair.free(),
  },
  "all: start on a full disk": {
    inject: async (pair) => {
      const ended = pair.a.untilEnd("tandem");
      await pair.a.agent.call("signal", { name: "tandem", signal: "SIGTERM" });
      await ended;
      await pair.a.run(["rm", "-f", `${DISK}/nginx.pid`]);
      await pair.fill();
      const refused = pair.a.untilEnd("tandem");
      await pair.a.start(ENV);
      assert.equal(await refused, "status 1");
    },
    restore: async (pair) => {
      await pair.free();
      await restart(pair);
    },
  },
  "VRRP process: kill -9 on a full disk": {
    inject: async (pair) => {
      await pair.fill();
      await pair.signal("VRRP process", "KILL", true);
    },
    restore: (pair) => pair.free(),
  },
};

function playOf({ process, fault }: FaultCell): Play {
  const signal = (SIGNALS as Readonly<Record<string, string>>)[fault];
  const special = PLAYS[`${process}: ${fault}`];
  if (special !== undefined || signal === undefined) return special as Play;
  const inject = (pair: Pair): Promise<void> => pair.signal(process, signal, true);
  if (!process.startsWith("supervisor")) return { inject };
  if (fault === "SIGSTOP") return { inject, restore: (pair) => pair.signal(process, "CONT", true) };
  if (fault !== "blocked event loop") return { inject, restore };
  return {
    inject,
    restore: async (pair) => {
      await pair.signal(process, "KILL", true);
      await restart(pair);
    },
  };
}
const restore = restart;

/** The words of a cell as they are in a log. */
function patternOf(log: string): RegExp {
  return new RegExp(log.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(/\bN\b/g, "[\\w.]+"));
}

async function play(pair: Pair, cell: FaultCell): Promise<void> {
  const { a, b } = pair;
  await until("the node has its address", () => pair.isAtHome());
  await until("everybody is answered", () => pair.answersEverybody());
  // A worker has its spare, a partner is known.
  await until("the node is complete", async () => (await pidsOf(a, TITLES["spare worker"] as RegExp)).length === 1);
  await until("they know each other", async () => /^partner b/m.test(await a.tandem("status")));
  const before = await pair.goodbyes();
  const teller = cell.isLogOfPartner === true ? b : a;
  const from = teller.lines.length;
  const { inject, restore } = playOf(cell);
  await inject(pair);
  if (cell.address === "partner, then back") {
    await until("the partner takes the address, alone", () => b.holds(VIP) && !a.holds(VIP), 30_000);
    await until("clients are answered by the partner", () => pair.answersEverybody());
    if (cell.saysGoodbye) assert.ok((await pair.goodbyes()) > before, "the partner has heard priority 0");
    await restore?.(pair);
    await until("it comes back", () => pair.isAtHome(), 30_000);
  }
  const isSaid = (): boolean => teller.lines.slice(from).some((line) => patternOf(cell.log).test(line));
  await until(`"${cell.log}" is in the log`, isSaid, 30_000);
  await until("everybody is answered", () => pair.answersEverybody());
  assert.ok(pair.isAtHome());
  if (cell.address === "stays") {
    await restore?.(pair);
    if (cell.process !== "notify script") assert.equal(await pair.goodbyes(), before);
  }
}

inPrivateNetwork(import.meta.url, () => {
  describe("faults of one process", () => {
    let pair: Pair;
    before(async () => {
      pair = await Pair.start();
    });
    after(() => pair.close());

    for (const cell of FAULT_TABLE)
      test(`${cell.process}, ${cell.fault}: the address ${cell.address === "stays" ? "stays" : "goes to the partner and back"}`, async (t) => {
        const begunMs = performance.now();
        try {
          await play(pair, cell);
          t.diagnostic(`${((performance.now() - begunMs) / 1000).toFixed(1)} s`);
        } catch (error) {
          const log = [pair.a, pair.b].flatMap(({ name, lines }) => lines.slice(-60).map((line) => `${name} ${line}`));
          throw new Error(`${(error as Error).stack}\n${log.join("\n")}`);
        }
      });

    test("a supervisor that hangs keeps the address when there is no partner, and its workers serve", async () => {
      const { a, b } = pair;
      const supervisor = "supervisor and nginx master (`tandem up`)";
      await until("the node has its address", () => pair.isAtHome());
      const ended = b.untilEnd("tandem");
      await b.agent.call("signal", { name: "tandem", signal: "SIGTERM" });
      await ended;
      const from = a.lines.length;
      await pair.signal(supervisor, "STOP", true);
      const deadlineMs = performance.now() + SUPERVISOR_BOUND_MS + 7000;
      while (performance.now() < deadlineMs) {
        assert.ok(await pair.answersEverybody());
        await sleep(200);
      }
      assert.ok(a.holds(VIP));
      await pair.signal(supervisor, "CONT", true);
      const isSaid = (text: string): boolean => a.lines.slice(from).some((line) => line.includes(text));
      await until("it has been noticed", () => isSaid("the supervisor hangs") && isSaid("the supervisor is back"));
      await until("it was offered", () => isSaid("nobody has taken over from the lowest priority"));
      await b.start(ENV);
      await until("the partner is back", async () => /^partner b/m.test(await a.tandem("status")));
      assert.ok(pair.isAtHome());
    });

    test("and at no time have there been two owners for longer than an advert takes", async () => {
      await sleep(3000); // incidents are looked for when both nodes have settled
      const lines = [...pair.a.lines, ...pair.b.lines];
      assert.deepEqual(
        lines.filter((line) => line.includes("had two owners")),
        [],
      );
    });
  });
});
