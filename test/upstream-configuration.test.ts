/** What is refused of the directives that nginx Plus and nginx 1.31 have for upstreams: text and line. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { OURS } from "./http-server.ts";

const folder = mkdtempSync(path.join(tmpdir(), "tandem-upstreams-"));
after(() => rmSync(folder, { recursive: true }));

interface Parts {
  readonly http?: string;
  readonly upstream?: string;
  readonly location?: string;
}

/** What `-t` says of it, without the file's name. */
function judge({ http = "", upstream = "", location = "proxy_pass http://app;" }: Parts): string {
  const file = path.join(folder, "nginx.conf");
  const lines = [
    `pid ${folder}/nginx.pid; error_log ${folder}/error.log; events {}`,
    `http { ${http}`,
    `upstream app { server 127.0.0.1:1; ${upstream} }`,
    `server { listen 127.0.0.1:1; location / { ${location} } }`,
    "}",
  ];
  writeFileSync(file, lines.join("\n"));
  const { stderr } = spawnSync(OURS, ["-t", "-p", folder, "-c", file], { encoding: "utf8" });
  const emerg = /\[emerg\] (.*) in \S+:(\d+)$/m.exec(stderr);
  return emerg === null ? (/\[warn\] (.*) in \S+:\d+$/m.exec(stderr)?.[1] ?? "ok") : `${emerg[1]} (${emerg[2]})`;
}

const CHECK = "proxy_pass http://app; health_check";

const CASES: readonly (readonly [parts: Parts, says: string])[] = [
  [{ upstream: "zone z 64k;", location: `${CHECK};` }, "ok"],
  [{ location: `${CHECK};` }, '"health_check" needs a "zone" in upstream "app" (4)'],
  [{ location: "health_check;" }, '"health_check" needs a "proxy_pass" to an upstream in its location (4)'],
  [
    { location: "proxy_pass http://127.0.0.1:1; health_check;" },
    '"health_check" needs a "proxy_pass" to an upstream in its location (4)',
  ],
  [{ upstream: "zone z 64k;", location: `${CHECK} match=m;` }, 'match "m" is not defined (4)'],
  [{ upstream: "zone z 64k;", location: `${CHECK} match=m;`, http: "match m { status 200; }" }, "ok"],
  [{ http: "match m { status 200; } match m { status 200; }" }, 'duplicate match "m" (2)'],
  [{ http: "match m { status 700; }" }, 'invalid status "700" (2)'],
  [{ http: "match m { status !; }" }, 'invalid number of arguments in "status" directive (2)'],
  [{ http: "match m { header A == b; }" }, 'invalid parameter "==" (2)'],
  [{ http: 'match m { body ~ "("; }' }, 'pcre2_compile() failed: Unterminated group in "(" (2)'],
  [{ http: "match m { trailer x; }" }, 'unknown directive "trailer" (2)'],
  [{ http: "match m { require x; }" }, 'invalid variable name "x" (2)'],
  [{ upstream: "zone z 64k;", location: `${CHECK} interval=x;` }, 'invalid parameter "interval=x" (4)'],
  [{ upstream: "zone z 64k;", location: `${CHECK} fails=0;` }, 'invalid parameter "fails=0" (4)'],
  [{ upstream: "zone z 64k;", location: `${CHECK} port=70000;` }, 'invalid parameter "port=70000" (4)'],
  [{ upstream: "zone z 64k;", location: `${CHECK} persistent;` }, '"persistent" requires "mandatory" (4)'],
  [{ upstream: "zone z 64k;", location: `${CHECK} mandatory type=grpc grpc_status=12 grpc_service=a.B;` }, "ok"],
  [{ upstream: "zone z 64k;", location: `${CHECK} type=grpc mandatory;` }, 'invalid parameter "mandatory" (4)'],
  [
    { upstream: "zone z 64k;", location: `${CHECK} grpc_service=a type=grpc;` },
    'invalid parameter "grpc_service=a" (4)',
  ],
  [{ upstream: "zone z 64k;", location: `${CHECK} grpc_status=12;` }, 'invalid parameter "grpc_status=12" (4)'],
  [{ upstream: "zone z 64k;", location: `${CHECK} type=grpc grpc_status=0;` }, 'invalid parameter "grpc_status=0" (4)'],
  [
    { upstream: "zone z 64k;", location: `${CHECK} type=grpc grpc_status=17;` },
    'invalid parameter "grpc_status=17" (4)',
  ],
  [{ upstream: "zone z 64k;", location: `${CHECK} type=udp;` }, 'invalid parameter "type=udp" (4)'],
  [
    { upstream: "zone z 64k;", location: `${CHECK} uri=/x type=grpc;` },
    '"type=grpc" cannot be used with "uri" or "match" (4)',
  ],
  [
    { upstream: "zone z 64k;", location: `${CHECK} uri=/x type=tcp;` },
    '"type=tcp" cannot be used with "uri", "match" or "keepalive_time" (4)',
  ],
  [{ upstream: "queue 0;" }, 'invalid value "0" in "queue" directive (3)'],
  [{ upstream: "queue 3 timeot=1s;" }, 'invalid parameter "timeot=1s" (3)'],
  [
    { upstream: "hash $uri; server 127.0.0.1:2 slow_start=1s;" },
    'balancing method does not support parameter "slow_start" (3)',
  ],
  [
    { upstream: "server 127.0.0.1:2 slow_start=1s; random;" },
    'balancing method does not support parameter "slow_start" (3)',
  ],
  [{ upstream: `state ${folder}/none.conf;` }, '"server" cannot be used along with "state" (3)'],
  [{ upstream: "sticky cookie a; least_conn;" }, "load balancing method redefined"],
];

test("the servers of an upstream may stand in a file, which may be missing, and holds nothing else", () => {
  const block = (file: string): Parts => ({
    http: `upstream held { state ${file}; }`,
    location: "proxy_pass http://held;",
  });
  assert.equal(judge(block(`${folder}/missing.conf`)), "ok");
  writeFileSync(path.join(folder, "state.conf"), "server 127.0.0.1:8 weight=2;\nserver 127.0.0.1:9 backup;\n");
  assert.equal(judge(block("state.conf")), "ok", "relative to the configuration");
  writeFileSync(path.join(folder, "state.conf"), "server 127.0.0.1:8 wait=2;\n");
  assert.equal(judge(block("state.conf")), 'invalid parameter "wait=2" (1)');
  writeFileSync(path.join(folder, "state.conf"), "server 127.0.0.1:8;\nhash $uri;\n");
  assert.equal(judge(block("state.conf")), '"hash" cannot stand in the file of "state" (2)');
});

for (const [parts, says] of CASES) {
  test(`${Object.values(parts).join(" | ")}: ${says}`, () => assert.equal(judge(parts), says));
}
