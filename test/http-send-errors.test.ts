/** Which call an error names that a worker meets in sending, next to nginx: to a back end and to a client, of which each has just gone. */
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { installedNginx, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Seen } from "./support/back-end.ts";
import { childrenOf, until } from "./support/server-process.ts";

const nginx = installedNginx();

/** What stands in the log behind the last error, without what differs by nature. */
function errorsOf(server: TestServer, from: number): readonly string[] {
  const lines = server.log("error.log").slice(from).split("\n");
  return lines.flatMap((line) => /\[\w+\] .*?\*\d+ (\w+\(\) failed \(\d+: [^)]*\)[^,]*),/.exec(line)?.[1] ?? []);
}

for (const [name, binary] of [
  ["Tandem", undefined],
  ["nginx", nginx],
] as const)
  describe(`a send that fails, ${name}`, {
    skip: name === "nginx" && nginx === undefined ? "nginx is not installed" : false,
  }, () => {
    let back: BackEnd;
    let server: TestServer;
    let onRequest: (socket: net.Socket, seen: Seen) => void;

    before(async () => {
      back = await BackEnd.listen(() => (socket, seen) => onRequest(socket, seen));
      server = await TestServer.start(
        `upstream kept { server ${back.address}; keepalive 4; }
        server { listen 127.0.0.1:%PORT%; proxy_http_version 1.1; proxy_set_header Connection "";
          location / { proxy_pass http://kept; proxy_next_upstream off; }
          location /unbuffered { proxy_pass http://kept; proxy_next_upstream off; proxy_request_buffering off; }
          location /tunnel { proxy_pass http://kept; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
        }`,
        // A ring takes every byte, and tells of the end as of something read.
        { events: "use epoll;", ...(binary === undefined ? {} : { binary }) },
      );
    });
    after(async () => {
      await server.stop();
      back.close();
    });

    const signal = (name: NodeJS.Signals): void => {
      for (const pid of childrenOf(server.pid)) process.kill(pid, name);
    };

    const connect = (): Promise<net.Socket> =>
      new Promise((resolve) => {
        const socket = net.connect(server.port, "127.0.0.1", () => resolve(socket));
        socket.setNoDelay(true);
        socket.on("error", () => {}).on("data", () => {});
      });

    /** The worker sleeps while `meanwhile` happens, in this order, and then meets all of it at once. What it says then. */
    async function asleep(...meanwhile: (() => void)[]): Promise<string> {
      const from = server.log("error.log").length;
      signal("SIGSTOP");
      for (const step of meanwhile) {
        step();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      signal("SIGCONT");
      await until(() => errorsOf(server, from).length > 0, "an error in the log");
      return errorsOf(server, from)[0] as string;
    }

    /** A connection to the back end that is kept, of which this is the back end's end. */
    async function kept(): Promise<net.Socket> {
      let end: net.Socket | undefined;
      onRequest = (socket) => {
        end = socket;
        socket.write(ok("x"));
      };
      assert.match(await server.get("/"), / 200 /);
      assert.ok(end !== undefined);
      return end;
    }

    test("a request over a kept connection that the back end resets", async () => {
      const end = await kept();
      const client = await connect();
      const said = await asleep(
        () => client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        () => end.resetAndDestroy(),
      );
      client.destroy();
      // Its error is asked for before anything is sent.
      assert.equal(said, "connect() failed (104: Connection reset by peer) while connecting to upstream");
    });

    test("more of an unbuffered request", async () => {
      let end: net.Socket | undefined;
      onRequest = (socket) => {
        end = socket;
      };
      back.onBytes = (socket) => {
        end = socket;
      };
      const client = await connect();
      client.write("POST /unbuffered HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
      await until(() => end !== undefined, "the beginning of the request");
      const said = await asleep(
        () => client.write("def"),
        () => end?.resetAndDestroy(),
      );
      client.destroy();
      assert.equal(said, "writev() failed (104: Connection reset by peer) while sending request to upstream");
    });

    test("an answer to a client that resets its connection", async () => {
      let end: net.Socket | undefined;
      onRequest = (socket) => {
        end = socket;
      };
      const client = await connect();
      client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await until(() => end !== undefined, "the request");
      const said = await asleep(
        () => end?.write(ok("x")),
        () => client.resetAndDestroy(),
      );
      // Tandem has forgotten the request by then: all of its answer was handed over.
      assert.match(said, /^writev\(\) failed \(104: Connection reset by peer\)( while sending to client)?$/);
    });

    test("bytes of a tunnel", async () => {
      let end: net.Socket | undefined;
      onRequest = (socket) => {
        end = socket;
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
      };
      const client = await connect();
      const began = new Promise((resolve) => client.once("data", resolve));
      client.write("GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
      await began;
      const said = await asleep(
        () => client.write("abc"),
        () => end?.resetAndDestroy(),
      );
      client.destroy();
      assert.equal(said, "send() failed (104: Connection reset by peer) while proxying upgraded connection");
    });
  });
