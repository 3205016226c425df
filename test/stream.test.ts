/** TCP through `stream`: what passes, how sessions end, what is told of them in logs, and how a server with sessions ends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import { decodeProxyHeader } from "../src/wire/proxy-protocol/decode.ts";
import { TestServer } from "./http-server.ts";
import { freePort } from "./support/server-process.ts";
import { Talker } from "./support/talker.ts";

const LARGE = 16 * 1024 * 1024;
const HTTP = "server { listen 127.0.0.1:%PORT%; }";

/** A back end that gives each connection to the test. */
async function backEnd(onSocket: (socket: net.Socket) => void) {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port, close };
}

/** Says everything again until the other side has ended, then ends too. */
function echo(socket: net.Socket): void {
  socket.on("data", (data) => socket.write(data));
  socket.on("end", () => socket.end());
}

/** All that comes of a connection on which nothing is said but this. */
async function fetchAll(port: number, said = ""): Promise<string> {
  const talker = await Talker.connect(port);
  if (said !== "") talker.send(said);
  await talker.closed;
  return talker.text;
}

/** What a TLS client of this machine says first. */
async function clientHello(servername = "one.example"): Promise<Buffer> {
  const listener = net.createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as net.AddressInfo;
  const client = tls.connect({ port, host: "127.0.0.1", servername, ALPNProtocols: ["h2", "http/1.1"] });
  client.on("error", () => {});
  const [socket] = (await once(listener, "connection")) as [net.Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  socket.destroy();
  listener.close();
  return hello;
}

const bytesOf = (sizeBytes: number): Buffer => Buffer.alloc(sizeBytes, "0123456789abcdef-");

describe("stream", { timeout: 60_000 }, () => {
  const names = [
    "echo",
    "dead",
    "next",
    "off",
    "text",
    "header",
    "v1",
    "v2",
    "half",
    "patient",
    "rate",
    "named",
    "sni",
    "sites",
    "short",
  ] as const;
  const ports = {} as Record<(typeof names)[number], number>;
  const taken: string[] = [];
  let back: Awaited<ReturnType<typeof backEnd>>;
  let talking: Awaited<ReturnType<typeof backEnd>>;
  const handed: net.Socket[] = [];
  let server: TestServer;

  before(async () => {
    back = await backEnd(echo);
    talking = await backEnd((socket) => handed.push(socket));
    for (const name of names) ports[name] = await freePort();
    const dead = await freePort();
    const listen = (name: (typeof names)[number], more = ""): string => `listen 127.0.0.1:${ports[name]} ${more};`;
    const pass = `proxy_pass 127.0.0.1:${back.port};`;
    server = await TestServer.start(HTTP, {
      main: `stream {
        log_format session '$remote_addr|$server_port|$protocol|$status|$bytes_received|$bytes_sent|$upstream_addr|$upstream_bytes_sent|$upstream_bytes_received|$upstream_connect_time|$upstream_session_time';
        log_format proxied '$proxy_protocol_addr:$proxy_protocol_port>$proxy_protocol_server_addr:$proxy_protocol_server_port $remote_addr $status';
        access_log %DIR%/logs/stream.log session;
        map $server_port $kind { ${ports.text} text; default other; }
        upstream taken_in_turn { server 127.0.0.1:${dead} max_fails=0; server 127.0.0.1:${back.port}; }
        upstream several { server 127.0.0.1:${dead}; server 127.0.0.1:${back.port}; }
        server { ${listen("echo")} ${pass} }
        server { ${listen("dead")} proxy_pass 127.0.0.1:${dead}; }
        server { ${listen("next")} proxy_pass several; }
        server { ${listen("off")} proxy_pass taken_in_turn; proxy_next_upstream off; access_log off; }
        server { ${listen("text")} set $said $kind-$remote_addr; return "$said $arrived\\n"; set $arrived $protocol; }
        server { ${listen("header", "proxy_protocol")} ${pass} access_log %DIR%/logs/proxied.log proxied; proxy_protocol_timeout 300ms; }
        server { ${listen("v1")} proxy_pass 127.0.0.1:${talking.port}; proxy_protocol on; }
        server { ${listen("v2")} proxy_pass 127.0.0.1:${talking.port}; proxy_protocol v2; }
        server { ${listen("half")} proxy_pass 127.0.0.1:${talking.port}; proxy_half_close on; }
        server { ${listen("patient")} proxy_pass 127.0.0.1:${talking.port}; proxy_timeout 200ms; }
        server { ${listen("rate")} ${pass} proxy_upload_rate 2000; proxy_download_rate $down; set $down 3000; }
        map $ssl_preread_server_name $by_name { one.example several; default 127.0.0.1:${dead}; }
        log_format hello '$ssl_preread_server_name|$ssl_preread_protocol|$ssl_preread_alpn_protocols|$status|$bytes_received';
        server { ${listen("sni")} ssl_preread on; proxy_pass $by_name; access_log %DIR%/logs/sni.log hello; }
        server { ${listen("sites")} ssl_preread on; return "none $server_name $ssl_preread_server_name"; }
        server { ${listen("sites")} server_name .example; return "any $server_name"; }
        server { ${listen("sites")} server_name one.example uno.example; return "one $server_name"; }
        server { ${listen("sites")} server_name ~^(?<number>\\d+)\\.; return "number $number"; }
        server { ${listen("short")} ssl_preread on; preread_buffer_size 8; preread_timeout 300ms; proxy_pass several; access_log %DIR%/logs/short.log hello; }
        server { ${listen("named")} proxy_pass $target; set $target several; }
      }`,
    });
    taken.push(String(dead));
  });
  after(async () => {
    await server.stop();
    back.close();
    talking.close();
  });

  const logged = async (name: string, text: RegExp): Promise<string> => {
    for (let tries = 0; tries < 100 && !text.test(server.log(name)); tries++) await sleep(20);
    assert.match(server.log(name), text);
    return server.log(name);
  };
  const atBack = async (): Promise<net.Socket> => {
    for (let tries = 0; tries < 200 && handed.length === 0; tries++) await sleep(10);
    return handed.shift() as net.Socket;
  };

  test("passes bytes both ways until one side ends, and says so in both logs", async () => {
    const talker = await Talker.connect(ports.echo);
    talker.send("hello ");
    await talker.until(/hello $/);
    talker.send("again");
    assert.equal(await talker.until(/again$/), "hello again");
    talker.end();
    await talker.closed;
    const line = `127\\.0\\.0\\.1\\|${ports.echo}\\|TCP\\|200\\|11\\|11\\|127\\.0\\.0\\.1:${back.port}\\|11\\|11\\|0\\.\\d{3}\\|\\d+\\.\\d{3}\\n`;
    await logged("stream.log", new RegExp(line));
    const text = await logged(
      "error.log",
      /client disconnected, bytes from\/to client:11\/11, bytes from\/to upstream:11\/11/,
    );
    assert.match(text, new RegExp(`\\*\\d+ client 127\\.0\\.0\\.1:\\d+ connected to 127\\.0\\.0\\.1:${ports.echo}\\n`));
    assert.match(text, new RegExp(`\\*\\d+ proxy 127\\.0\\.0\\.1:\\d+ connected to 127\\.0\\.0\\.1:${back.port}\\n`));
  });

  test("ends a session that no server takes with 502, in nginx's words", async () => {
    assert.equal(await fetchAll(ports.dead), "");
    const dead = taken[0];
    await logged(
      "stream.log",
      new RegExp(`\\|${ports.dead}\\|TCP\\|502\\|0\\|0\\|127\\.0\\.0\\.1:${dead}\\|0\\|0\\|-\\|`),
    );
    const message = `connect\\(\\) failed \\(111: Connection refused\\) while connecting to upstream, client: 127\\.0\\.0\\.1, server: 127\\.0\\.0\\.1:${ports.dead}, upstream: "127\\.0\\.0\\.1:${dead}", bytes from/to client:0/0, bytes from/to upstream:0/0`;
    await logged("error.log", new RegExp(message));
  });

  test("goes on to the next server, unless told not to", async () => {
    const talker = await Talker.connect(ports.next);
    talker.send("next");
    await talker.until(/next$/);
    talker.end();
    await logged(
      "stream.log",
      new RegExp(`127\\.0\\.0\\.1:${taken[0]}, 127\\.0\\.0\\.1:${back.port}\\|0, 4\\|0, 4\\|-, `),
    );
    const results = [await fetchOnce(ports.off), await fetchOnce(ports.off)];
    assert.deepEqual(results.sort(), ["", "said"]);
  });

  /** What an echo says, or "" when the connection is closed first. */
  async function fetchOnce(port: number): Promise<string> {
    const talker = await Talker.connect(port);
    talker.send("said");
    await Promise.race([talker.closed, talker.until(/said/).catch(() => {})]);
    talker.end();
    return talker.text;
  }

  test("finds the upstream that a text names", async () => {
    assert.equal(await fetchOnce(ports.named), "said");
  });

  test("looks at a ClientHello and passes it on whole, however it is cut", async () => {
    const hello = await clientHello();
    for (const at of [1, 7, hello.length - 1, hello.length]) {
      const talker = await Talker.connect(ports.sni);
      talker.socket.write(hello.subarray(0, at));
      await sleep(20);
      talker.socket.write(hello.subarray(at));
      assert.equal(await talker.untilLength(hello.length), hello.toString("latin1"));
      talker.end();
    }
    await logged("sni.log", new RegExp(`^one\\.example\\|TLSv1\\.3\\|h2,http/1\\.1\\|200\\|${hello.length}\\n`));
    const other = await Talker.connect(ports.sni);
    other.send("GET / HTTP/1.0\r\n\r\n");
    await other.closed;
    await logged("sni.log", /^-\|-\|-\|502\|0\n/m);
  });

  test("of servers that share an address the one that a ClientHello names is chosen", async () => {
    const said: Record<string, string> = {
      "one.example": "one one.example",
      "uno.example": "one one.example",
      "two.example": "any example",
      "17.test": "number 17",
      "other.test": "none  other.test",
    };
    for (const [name, expected] of Object.entries(said)) {
      const talker = await Talker.connect(ports.sites);
      talker.socket.write(await clientHello(name));
      await talker.closed;
      assert.equal(talker.text, expected);
    }
  });

  test("looks at no more than preread_buffer_size, for no longer than preread_timeout", async () => {
    const hello = await clientHello();
    const talker = await Talker.connect(ports.short);
    talker.socket.write(hello);
    await talker.closed;
    await logged("short.log", /\|400\|0\n/);
    await logged("error.log", /preread buffer full while prereading client data, client: 127\.0\.0\.1, server: /);
    assert.equal(await fetchAll(ports.short, "\x16"), "");
    await logged("short.log", /\|200\|0\n/);
  });

  test("returns a text made of variables, whatever the order of set", async () => {
    assert.equal(await fetchAll(ports.text), "text-127.0.0.1 TCP\n");
  });

  test("takes a PROXY protocol header in any pieces, and what follows it is the client's", async () => {
    const header = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678\r\n";
    for (const at of [0, 1, 6, 20, header.length - 1, header.length]) {
      const talker = await Talker.connect(ports.header);
      if (at > 0) talker.send(header.slice(0, at));
      await sleep(20);
      talker.send(`${header.slice(at)}behind`);
      assert.equal(await talker.until(/behind$/), "behind");
      talker.end();
    }
    await logged("proxied.log", /^192\.0\.2\.1:1234>192\.0\.2\.2:5678 127\.0\.0\.1 200\n/);
  });

  test("refuses what is no PROXY protocol header, and waits for one no longer than it may", async () => {
    assert.equal(await fetchAll(ports.header, "GET / HTTP/1.0\r\n\r\n"), "");
    await logged("proxied.log", / 400\n/);
    await logged(
      "error.log",
      /broken header: "GET \/ HTTP\/1\.0\r?.*" while reading PROXY protocol, client: 127\.0\.0\.1, server: /,
    );
    assert.equal(await fetchAll(ports.header), "");
    await logged("error.log", /client timed out \(110: Connection timed out\) while reading PROXY protocol/);
  });

  test("tells the upstream who the client is, ahead of its bytes", async () => {
    for (const [name, version] of [
      ["v1", 1],
      ["v2", 2],
    ] as const) {
      const talker = await Talker.connect(ports[name]);
      talker.send("mine");
      const socket = await atBack();
      let got = Buffer.alloc(0);
      socket.on("data", (data) => {
        got = Buffer.concat([got, data]);
      });
      for (let tries = 0; tries < 200 && !got.toString("latin1").endsWith("mine"); tries++) await sleep(10);
      const result = decodeProxyHeader(got);
      assert.equal(result.kind, "header", `version ${version}`);
      if (result.kind !== "header") continue;
      const { address, port } = talker.socket.address() as net.AddressInfo;
      assert.deepEqual(result.header.ends?.source, { address, port });
      assert.equal(result.header.ends?.destination.port, ports[name]);
      assert.equal(got.subarray(result.header.sizeBytes).toString(), "mine");
      assert.equal(got[0] === 0x50, version === 1);
      talker.end();
      socket.end();
    }
  });

  test("passes on the end of one direction while the other goes on", async () => {
    const client = net.connect({ port: ports.half, host: "127.0.0.1", allowHalfOpen: true });
    await once(client, "connect");
    let got = "";
    client.on("data", (data) => {
      got += data.toString();
    });
    client.end("question");
    const socket = await atBack();
    let asked = "";
    socket.on("data", (data) => {
      asked += data.toString();
    });
    await once(socket, "end");
    assert.equal(asked, "question");
    socket.write("late ");
    await sleep(50);
    socket.end("answer");
    await once(client, "end");
    assert.equal(got, "late answer");
  });

  test("closes both connections when nothing passes for a time", async () => {
    const talker = await Talker.connect(ports.patient);
    const socket = await atBack();
    const closed = once(socket, "end");
    socket.resume();
    await talker.closed;
    await closed;
    await logged("error.log", /connection timed out \(110: Connection timed out\) while proxying connection, client: /);
  });

  test("loses nothing where bytes pass at a rate", async () => {
    const text = bytesOf(4500).toString();
    const talker = await Talker.connect(ports.rate);
    talker.send(text);
    assert.equal(await talker.untilLength(text.length), text);
    talker.end();
    await talker.closed;
  });

  test("keeps no more than the sockets take for a side that does not read", async () => {
    const sent = bytesOf(LARGE);
    for (const isUpload of [true, false]) {
      const talker = await Talker.connect(ports.half);
      const socket = await atBack();
      const [from, to] = isUpload ? [talker.socket, socket] : [socket, talker.socket];
      to.pause();
      from.write(sent);
      await sleep(100);
      const got: Buffer[] = [];
      let size = 0;
      to.on("data", (data) => {
        got.push(data);
        size += data.length;
      });
      to.resume();
      for (let tries = 0; tries < 1000 && size < LARGE; tries++) await sleep(10);
      assert.ok(Buffer.concat(got).equals(sent), isUpload ? "upload" : "download");
      talker.end();
      socket.end();
    }
  });

  test("a client that resets its connection ends the session of the upstream too", async () => {
    const talker = await Talker.connect(ports.patient);
    const socket = await atBack();
    socket.resume();
    const ended = once(socket, "end");
    talker.socket.resetAndDestroy();
    await ended;
  });
});

describe("a server with sessions", { timeout: 60_000 }, () => {
  const start = async (port: number, backPort: number): Promise<TestServer> =>
    TestServer.start(HTTP, {
      main: `stream { server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${backPort}; } }`,
    });

  test("lets them come to their end when it quits, and takes no new ones", async () => {
    const back = await backEnd(echo);
    const port = await freePort();
    const server = await start(port, back.port);
    try {
      const talker = await Talker.connect(port);
      talker.send("before ");
      await talker.until(/before $/);
      server.signal("SIGQUIT");
      for (let tries = 0; tries < 200 && (await canConnect(port)); tries++) await sleep(20);
      talker.send("after");
      await talker.until(/before after$/);
      talker.end();
      await talker.closed;
    } finally {
      await server.stop();
      back.close();
    }
  });

  test("keeps them through a reload", async () => {
    const back = await backEnd(echo);
    const port = await freePort();
    const server = await start(port, back.port);
    try {
      const talker = await Talker.connect(port);
      talker.send("before ");
      await talker.until(/before $/);
      server.signal("SIGHUP");
      for (let tries = 0; tries < 500 && !/gracefully shutting down/.test(server.log("error.log")); tries++)
        await sleep(20);
      talker.send("after");
      await talker.until(/before after$/);
      const other = await Talker.connect(port);
      other.send("new");
      await other.until(/^new$/);
      other.end();
      talker.end();
    } finally {
      await server.stop();
      back.close();
    }
  });
});

async function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
