import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import dgram from "node:dgram";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import tls from "node:tls";
import { fromLatin1, latin1 } from "../base/bytes.ts";
import { parseIp } from "../base/ip.ts";
import type { Probe, ProbeOwner, ProbeTarget, ProbeTls } from "../lvs/ports.ts";
import { NodeProbes } from "./probes.ts";

const probes = new NodeProbes();
const folder = mkdtempSync(path.join(tmpdir(), "tandem-probes-"));
after(() => rmSync(folder, { recursive: true }));
const PLAIN_TLS: ProbeTls = {
  serverName: "a.example",
  saysGoodbye: false,
  files: { password: undefined, authorities: undefined, certificate: undefined, key: undefined },
};
/** Kinds of TLS records. */
const ALERT = 21;
const APPLICATION_DATA = 23;
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

function target(port: number, more: Partial<ProbeTarget> = {}, address = "127.0.0.1"): ProbeTarget {
  const ip = parseIp(address);
  assert.ok(ip);
  return { destination: { ip, port }, source: undefined, interface: undefined, mark: 0, ...more } as ProbeTarget;
}

/** What a probe says until it is through: words, in their order. Sends something when it is connected. */
function talk(begin: (owner: ProbeOwner) => Probe, send = "hello"): Promise<string[]> {
  const said: string[] = [];
  return new Promise((resolve) => {
    const finish = (): void => {
      probe.close();
      resolve(said);
    };
    const probe = begin({
      onConnected: () => {
        said.push("connected");
        if (send === "") finish();
        else probe.send(fromLatin1(send));
      },
      onData: (bytes) => {
        said.push(latin1(bytes));
        finish();
      },
      onEnd: () => said.push("end"),
      onFailed: (failure, why) => {
        said.push(failure, why);
        finish();
      },
    });
    assert.deepEqual(said, [], "nothing inside the call");
  });
}

async function listening(server: net.Server | tls.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** A port that nobody listens on. */
async function deadPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function echo(socket: net.Socket): void {
  socket.on("error", () => {});
  socket.on("data", (bytes) => socket.write(bytes));
}

test("TCP: connected and answered, or refused; an address that is not this machine's says nothing of the server", async () => {
  const port = await listening(net.createServer(echo));
  assert.deepEqual(await talk((owner) => probes.connect(target(port), undefined, owner)), ["connected", "hello"]);
  const dead = await deadPort();
  assert.deepEqual(await talk((owner) => probes.connect(target(dead), undefined, owner)), [
    "refused",
    "Connection refused",
  ]);
  const foreign = parseIp("192.0.2.77");
  assert.ok(foreign);
  const [failure, why] = await talk((owner) =>
    probes.connect(target(port, { source: { ip: foreign, port: 0 } }), undefined, owner),
  );
  assert.equal(failure, "impossible");
  assert.match(why ?? "", /Cannot assign requested address/);
});

test("TCP: a probe that is closed says nothing more", async () => {
  const port = await listening(net.createServer(echo));
  const said: string[] = [];
  const probe = probes.connect(target(port), undefined, {
    onConnected: () => said.push("connected"),
    onData: () => said.push("data"),
    onEnd: () => said.push("end"),
    onFailed: () => said.push("failed"),
  });
  probe.close();
  probe.close();
  await talk((owner) => probes.connect(target(port), undefined, owner));
  assert.deepEqual(said, []);
});

test("TLS: the server's name is said, its certificate is not judged", {
  skip: hasOpenssl ? false : "no openssl",
}, async () => {
  const files = { key: path.join(folder, "key.pem"), cert: path.join(folder, "cert.pem") };
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const made = spawnSync("openssl", [...request, "-subj", "/CN=x", "-keyout", files.key, "-out", files.cert]);
  assert.equal(made.status, 0, made.stderr.toString());
  const names: string[] = [];
  const credentials = { key: readFileSync(files.key), cert: readFileSync(files.cert) };
  const SNICallback = (name: string, done: (error: Error | null) => void): void => {
    names.push(name);
    done(null);
  };
  const server = tls.createServer({ ...credentials, SNICallback }, echo);
  const port = await listening(server);
  assert.deepEqual(await talk((owner) => probes.connect(target(port), PLAIN_TLS, owner)), ["connected", "hello"]);
  assert.deepEqual(names, ["a.example"]);
  const missing: ProbeTls = { ...PLAIN_TLS, files: { ...PLAIN_TLS.files, certificate: path.join(folder, "none") } };
  const [failure, why] = await talk((owner) => probes.connect(target(port), missing, owner));
  assert.equal(failure, "impossible");
  assert.match(why ?? "", /ENOENT/);
});

test("TLS: the last word is said when that is asked for, and only then", {
  skip: hasOpenssl ? false : "no openssl",
}, async () => {
  const credentials = {
    key: readFileSync(path.join(folder, "key.pem")),
    cert: readFileSync(path.join(folder, "cert.pem")),
  };
  // In TLS 1.2 the kind of a record is seen from outside.
  const port = await listening(tls.createServer({ ...credentials, maxVersion: "TLSv1.2" }, echo));
  for (const saysGoodbye of [true, false]) {
    const kinds: number[] = [];
    let isOver: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      isOver = resolve;
    });
    const between = net.createServer((socket) => {
      const onward = net.connect(port, "127.0.0.1");
      socket.on("data", (bytes) => kinds.push(bytes[0] as number));
      socket.on("close", isOver);
      for (const end of [socket, onward]) end.on("error", () => {});
      socket.pipe(onward).pipe(socket);
    });
    const door = await listening(between);
    await talk((owner) => probes.connect(target(door), { ...PLAIN_TLS, saysGoodbye }, owner));
    await over;
    assert.equal(kinds.at(-1), saysGoodbye ? ALERT : APPLICATION_DATA);
  }
});

test("TLS: a server that speaks something else, or ends the connection, has no handshake", async () => {
  const talkers: ((socket: net.Socket) => void)[] = [
    (socket) => socket.end("220 mail.example\r\n"),
    (socket) => socket.destroy(),
  ];
  for (const talker of talkers) {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      talker(socket);
    });
    const port = await listening(server);
    const [failure] = await talk((owner) => probes.connect(target(port), PLAIN_TLS, owner));
    assert.equal(failure, "handshake");
  }
});

test("UDP: datagrams there and back; a port without anybody refuses", async () => {
  const server = dgram.createSocket("udp4", (bytes, from) => server.send(bytes, from.port, from.address));
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const { port } = server.address();
  assert.deepEqual(await talk((owner) => probes.datagrams(target(port), owner)), ["connected", "hello"]);
  await new Promise<void>((resolve) => server.close(resolve));
  const said = await talk((owner) => probes.datagrams(target(port), owner));
  assert.deepEqual(said, ["connected", "refused", "Connection refused"]);
});

test("ping: whoever answers is there", async (t) => {
  const said = await talk((owner) => probes.ping(target(0), owner), "");
  if (said[0] === "impossible") t.skip(said[1]);
  else assert.deepEqual(said, ["connected"]);
});
