/** `postpone_output`: a little of an answer waits for more of it. What is on its way is compared with nginx at the same moment. */
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";
import { installedNginx, TestServer } from "./http-server.ts";
import { BackEnd } from "./support/back-end.ts";

const nginx = installedNginx();
const servers: { readonly name: string; readonly server: TestServer }[] = [];
let backEnd: BackEnd;
/** Back ends' sockets whose answers are not whole yet, with the rest of them. */
const unfinished: (() => void)[] = [];

const HTTP = (address: string): string => `
  access_log off;
  server {
    listen 127.0.0.1:%PORT%; root %DIR%/html;
    location /ping { return 200 pong; }
    location /usual/ { proxy_pass http://${address}; }
    location /at-once/ { proxy_pass http://${address}; postpone_output 0; }
    location /unbuffered/ { proxy_pass http://${address}; proxy_buffering off; }
    location /added/ { default_type text/html; add_after_body /usual/slow; alias %DIR%/html/; }
    location /added-at-once/ { default_type text/html; add_after_body /usual/slow; alias %DIR%/html/; postpone_output 0; }
  }
`;

before(async () => {
  backEnd = await BackEnd.listen(({ text }) => {
    const [first = "", rest = "rest"] = text.includes("/large")
      ? ["x".repeat(2000)]
      : text.includes("/some")
        ? ["some"]
        : [];
    return (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${first.length + rest.length}\r\n\r\n${first}`);
      unfinished.push(() => socket.write(rest));
    };
  });
  const files = { "html/small.txt": "small" };
  servers.push({ name: "ours", server: await TestServer.start(HTTP(backEnd.address), { files }) });
  if (nginx !== undefined)
    servers.push({ name: "nginx", server: await TestServer.start(HTTP(backEnd.address), { binary: nginx, files }) });
});

after(async () => {
  for (const { server } of servers) await server.stop();
  backEnd.close();
});

/** What has reached the client while the back end keeps the rest of its answer to itself, and what has in the end. */
async function progress(
  server: TestServer,
  target: string,
): Promise<{ readonly early: string; readonly whole: string }> {
  const socket = net.connect(server.port, "127.0.0.1");
  let text = "";
  socket.on("data", (data) => {
    text += data.toString("latin1");
  });
  socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  while (unfinished.length === 0) await pong(server);
  // The one worker has seen to the first part before it answers these.
  for (let i = 0; i < 3; i++) await pong(server);
  const early = text;
  for (const finish of unfinished.splice(0)) finish();
  await new Promise((resolve) => socket.on("end", resolve));
  socket.destroy();
  return { early, whole: text };
}

async function pong(server: TestServer): Promise<void> {
  assert.match(await server.get("/ping"), /pong$/);
}

test("the header of an answer waits for its body, unless that is passed on unbuffered", async () => {
  for (const { name, server } of servers) {
    const usual = await progress(server, "/usual/x");
    assert.equal(usual.early, "", name);
    assert.match(usual.whole, /\r\n\r\nrest$/, name);
    for (const target of ["/at-once/x", "/unbuffered/x", "/unbuffered/some"]) {
      const { early, whole } = await progress(server, target);
      assert.match(early, target.endsWith("some") ? /\r\n\r\nsome$/ : /\r\n\r\n$/, `${name} ${target}`);
      assert.match(whole, /rest$/, `${name} ${target}`);
    }
  }
});

test("the first part of an answer waits for what a slow subrequest adds, if it is little", async () => {
  for (const { name, server } of servers) {
    const { early, whole } = await progress(server, "/added/small.txt");
    assert.equal(early, "", name);
    assert.match(whole, /small/, name);
    assert.match(whole, /rest/, name);
    assert.match((await progress(server, "/added-at-once/small.txt")).early, /small/, name);
  }
});

test("what is no little any more goes out, and what follows it waits again", async () => {
  const server = servers[0]?.server as TestServer;
  const { early, whole } = await progress(server, "/usual/large");
  assert.match(early, /x{2000}$/);
  assert.match(whole, /x{2000}rest$/);
  assert.equal((await progress(server, "/usual/some")).early, "");
});

test("answers in front of one that is postponed are not held back with it", async () => {
  for (const { name, server } of servers) {
    const socket = net.connect(server.port, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    const get = (target: string, line = ""): string => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${line}\r\n`;
    socket.write(get("/ping") + get("/added/small.txt", "Connection: close\r\n"));
    while (unfinished.length === 0) await pong(server);
    for (let i = 0; i < 3; i++) await pong(server);
    assert.match(text, /^HTTP.*pong/s, name);
    for (const finish of unfinished.splice(0)) finish();
    await new Promise((resolve) => socket.on("end", resolve));
    socket.destroy();
    assert.match(text, /pongHTTP.*small.*rest/s, name);
  }
});
