import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { Witness } from "../conf/keepalived/config.ts";
import { EtcdLease } from "./etcd-lease.ts";
import { askWitness } from "./witness.ts";

const witness = (kind: Witness["kind"], port: number, path = ""): Witness => ({
  kind,
  host: "127.0.0.1",
  port,
  path,
  text: kind,
});
const listen = async (server: Server): Promise<number> => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
};
const freePort = async (): Promise<number> => {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
};
const close = (server: Server): void => {
  server.closeAllConnections();
  server.close();
};

test("TCP and HTTP witnesses answer, say no, or are not there", async () => {
  const server = createServer((request, response) => {
    if (request.url === "/silent") return;
    response.statusCode = request.url === "/ill" ? 503 : 204;
    response.end();
  });
  const port = await listen(server);
  await askWitness(witness("tcp", port), 1000);
  await askWitness(witness("http", port, "/"), 1000);
  await assert.rejects(askWitness(witness("http", port, "/ill"), 1000), /answered 503/);
  await assert.rejects(askWitness(witness("http", port, "/silent"), 50), /abort/i);
  close(server);
  await once(server, "close");
  await assert.rejects(askWitness(witness("tcp", port), 1000), /ECONNREFUSED/);
  await assert.rejects(askWitness(witness("http", port, "/"), 1000), /ECONNREFUSED/);
});

test("a name server is a witness, also where it knows no such name", async () => {
  const socket = createSocket("udp4");
  let code = 3;
  socket.on("message", (question, from) => {
    const answer = Buffer.from(question);
    answer[2] = (answer[2] as number) | 0x80;
    answer[3] = ((answer[3] as number) & 0xf0) | code;
    socket.send(answer, from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  await askWitness(witness("dns", port, "nowhere.example"), 1000);
  code = 2;
  await assert.rejects(askWitness(witness("dns", port, "nowhere.example"), 1000), /ESERVFAIL/);
  socket.close();
});

/** The part of etcd's JSON gateway that a lease needs. */
class Etcd {
  readonly leases = new Set<string>();
  key: { readonly name: string; readonly lease: string } | undefined;
  #ids = 0;
  /** Answers of a transaction that are lost, though it was done. */
  losesAnswer = false;
  readonly server = createServer((request, response) => {
    void read(request).then((text) => {
      const body = JSON.parse(text);
      if (request.url === "/v3/kv/txn" && this.losesAnswer) {
        this.#answer(request.url, body);
        request.socket.destroy();
        return;
      }
      response.end(JSON.stringify(this.#answer(request.url ?? "", body)));
    });
  });

  expire(id: string): void {
    this.leases.delete(id);
    if (this.key?.lease === id) this.key = undefined;
  }

  // biome-ignore lint/suspicious/noExplicitAny: what a client sends
  #answer(url: string, body: any): object {
    if (url === "/v3/lease/grant") {
      const id = String(7587 + ++this.#ids);
      this.leases.add(id);
      return { ID: id, TTL: body.TTL };
    }
    if (url === "/v3/lease/keepalive")
      return { result: { ID: body.ID, ...(this.leases.has(body.ID) ? { TTL: "4" } : {}) } };
    if (url === "/v3/lease/revoke") {
      this.expire(body.ID);
      return {};
    }
    const { key, lease } = body.success[0].request_put;
    if (this.key !== undefined)
      return { responses: [{ response_range: { kvs: [{ key: this.key.name, lease: this.key.lease }] } }] };
    this.key = { name: key, lease };
    return { succeeded: true };
  }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request) text += String(part);
  return text;
}

test("one node at a time holds a lease of etcd; it is renewed, given back, lost and had again", async () => {
  const etcd = new Etcd();
  const port = await listen(etcd.server);
  const a = new EtcdLease(witness("etcd", port, "vip"), 3000, "a");
  const b = new EtcdLease(witness("etcd", port, "vip"), 3000, "b");
  await a.hold(1000);
  await a.hold(1000);
  assert.equal(etcd.key?.name, Buffer.from("vip").toString("base64"));
  await assert.rejects(b.hold(1000), /another node holds the lease/);
  a.release();
  while (etcd.key !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  await b.hold(1000);
  await assert.rejects(a.hold(1000), /another node holds the lease/);
  for (const id of [...etcd.leases]) etcd.expire(id);
  await a.hold(1000);
  await assert.rejects(b.hold(1000), /another node holds the lease/);
  close(etcd.server);
});

test("a lost answer does not make a lease that nobody knows to hold", async () => {
  const etcd = new Etcd();
  const port = await listen(etcd.server);
  const lease = new EtcdLease(witness("etcd", port, "vip"), 3000, "a");
  etcd.losesAnswer = true;
  await assert.rejects(lease.hold(1000));
  etcd.losesAnswer = false;
  await lease.hold(1000);
  assert.equal(etcd.leases.size, 1);
  close(etcd.server);
});

const noEtcd = spawnSync("etcd", ["--version"]).error && "etcd is not installed";

test("a real etcd sees it in the same way, and still knows who holds it when it was killed and comes back", {
  skip: noEtcd,
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-etcd-"));
  const [port, peerPort] = [await freePort(), await freePort()];
  const url = (at: number): string => `http://127.0.0.1:${at}`;
  const clients = ["--listen-client-urls", url(port), "--advertise-client-urls", url(port)];
  const peers = ["--listen-peer-urls", url(peerPort), "--initial-advertise-peer-urls", url(peerPort)];
  const cluster = ["--initial-cluster", `default=${url(peerPort)}`, "--data-dir", folder];
  const start = (): ChildProcess => spawn("etcd", [...clients, ...peers, ...cluster], { stdio: "ignore" });
  const untilItAnswers = (): Promise<void> =>
    until("etcd answers", () => askWitness(witness("http", port, "/health"), 1000));
  let etcd = start();
  try {
    await untilItAnswers();
    const a = new EtcdLease(witness("etcd", port, "vip"), 1000, "a");
    const b = new EtcdLease(witness("etcd", port, "vip"), 1000, "b");
    const isRefused = (lease: EtcdLease): Promise<void> =>
      assert.rejects(lease.hold(1000), /another node holds the lease/);
    await a.hold(1000);
    await a.hold(1000);
    await isRefused(b);
    a.release();
    await until("it is given back", () => b.hold(1000));
    await isRefused(a);
    await until("it runs out", () => a.hold(1000));
    await isRefused(b);
    etcd.kill("SIGKILL");
    await once(etcd, "exit");
    await assert.rejects(a.hold(1000), /ECONNREFUSED/);
    etcd = start();
    await untilItAnswers();
    await a.hold(1000);
    await isRefused(b);
  } finally {
    etcd.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  }
});

/** Tries again until it succeeds. */
async function until(what: string, attempt: () => Promise<void>): Promise<void> {
  for (const deadline = Date.now() + 20_000; ; )
    try {
      await attempt();
      return;
    } catch (error) {
      if (Date.now() > deadline) assert.fail(`${what}: ${(error as Error).message}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
}
