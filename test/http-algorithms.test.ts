/** What a user can see of nginx's algorithms, bit for bit: numbers of connections, ETags, identifiers of requests. */
import assert from "node:assert/strict";
import { truncateSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { installedNginx, TestServer } from "./http-server.ts";

const nginx = installedNginx();

const HTTP = `
  access_log off;
  server {
    listen 127.0.0.1:%PORT%; root %DIR%/html;
    location / { }
    location /number { return 200 "$connection $connection_requests"; }
    location /passed { proxy_pass http://127.0.0.1:%PORT%/number; }
    location /refused { proxy_pass http://127.0.0.1:1; error_page 502 = /number; }
    location /id { add_header X-Id $request_id; return 200 "$request_id $request_id"; }
    location /id-moved { rewrite ^ /id last; }
  }
`;

/** Every server that is to say the same. */
async function all(options: { readonly workers?: number } = {}): Promise<TestServer[]> {
  const servers = [await TestServer.start(HTTP, options)];
  if (nginx !== undefined) servers.push(await TestServer.start(HTTP, { ...options, binary: nginx }));
  return servers;
}

const bodyOf = (answer: string): string => answer.slice(answer.indexOf("\r\n\r\n") + 4);

async function numberOf(server: TestServer, target = "/number"): Promise<number> {
  return Number(bodyOf(await server.get(target)).split(" ")[0]);
}

describe("one worker", () => {
  let servers: TestServer[];
  before(async () => {
    servers = await all();
  });
  after(async () => {
    for (const server of servers) await server.stop();
  });

  test("connections are numbered one by one, those to upstreams among them", async () => {
    const numbers = servers.map(async (server) => {
      // The first one was to see whether it listens.
      const seen = [await numberOf(server), await numberOf(server)];
      // Ours, that to the upstream, and the upstream's own.
      seen.push(await numberOf(server, "/passed"), await numberOf(server));
      seen.push(await numberOf(server, "/refused"), await numberOf(server));
      return seen;
    });
    for (const seen of await Promise.all(numbers)) assert.deepEqual(seen, [2, 3, 6, 7, 8, 10]);
  });

  test("the numbers go on behind a reload", async () => {
    for (const server of servers) {
      const before = await numberOf(server);
      server.signal("SIGHUP");
      for (let tries = 0; tries < 200 && !/gracefully shutting down/.test(server.log("error.log")); tries++)
        await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(await numberOf(server), before + 1);
    }
  });

  test("ETag and Last-Modified of a file are made of its time and size", async () => {
    const files: readonly (readonly [mtimeS: number, sizeBytes: number])[] = [
      [1_700_000_000, 0],
      [1_700_000_000, 1],
      [1, 255],
      [0, 4096],
      [-10, 7],
      [-1, 7],
      [2 ** 31, 65536],
      [2 ** 33 + 5, 3],
      [1_234_567_890, 5 * 2 ** 30 + 1],
    ];
    for (const [index, [mtimeS, sizeBytes]] of files.entries()) {
      const heads: string[] = [];
      for (const server of servers) {
        const file = path.join(server.folder, `html/file-${index}`);
        writeFileSync(file, "");
        truncateSync(file, sizeBytes);
        // Node takes a negative number for the present, but not a negative date.
        utimesSync(file, new Date(mtimeS * 1000), new Date(mtimeS * 1000));
        const { text } = await server.exchange(`HEAD /file-${index} HTTP/1.0\r\n\r\n`);
        heads.push(/^(ETag|Last-Modified): .*$/gm[Symbol.match](text)?.sort().join("\n") ?? "");
      }
      assert.match(
        heads[0] as string,
        new RegExp(`^ETag: "${mtimeS.toString(16)}-${sizeBytes.toString(16)}"`),
        `${mtimeS} ${sizeBytes}`,
      );
      if (heads.length > 1) assert.equal(heads[0], heads[1]);
    }
  });

  test("the identifier of a request is its own, and the same wherever it is asked for", async () => {
    for (const server of servers) {
      const ids = new Set<string>();
      for (const target of ["/id", "/id", "/id-moved", "/id-moved"]) {
        const answer = await server.get(target);
        const [id = "", again] = bodyOf(answer).split(" ");
        assert.match(id, /^[0-9a-f]{32}$/);
        assert.equal(again, id);
        assert.match(answer, new RegExp(`X-Id: ${id}\r\n`));
        ids.add(id);
      }
      assert.equal(ids.size, 4);
    }
  });
});

test("no two workers give the same number to a connection", async () => {
  for (const server of await all({ workers: 2 })) {
    try {
      const numbers = await Promise.all(Array.from({ length: 40 }, () => numberOf(server)));
      assert.deepEqual(
        numbers.sort((a, b) => a - b),
        Array.from({ length: 40 }, (_, i) => i + 2),
      );
    } finally {
      await server.stop();
    }
  }
});
