/** What a reactor does when descriptors run out: in a process of its own, whose limit is low. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

/** Five clients wait in the backlog when every descriptor is taken; they are given back after the first refusal. */
const SCRIPT = `
import { openSync, closeSync } from "node:fs";
import net from "node:net";
const { CLASS } = await import(REACTOR);
const { ListeningSockets } = await import(LISTENING);
const { SocketOptions } = await import(OPTIONS);
const { allocateMemory } = await import(MEMORY);
const reactor = new CLASS();
const endpoint = { ip: new Uint8Array([127, 0, 0, 1]), port: 0 };
const fd = new ListeningSockets(() => {}).open({ endpoint });
const { port } = new SocketOptions(allocateMemory(1)).localEndpoint(fd);
const clients = Array.from({ length: 5 }, () => net.connect(port, "127.0.0.1"));
await Promise.all(clients.map((client) => new Promise((resolve) => client.once("connect", resolve))));
const fillers = [];
try { for (;;) fillers.push(openSync("/dev/null")); } catch {}
const errors = [];
let accepted = 0;
const begun = performance.now();
reactor.accept(fd, {
  multiAccept: true,
  onAccept() {
    if (++accepted < 5) return;
    console.log("errors " + errors + ", rested " + (performance.now() - begun >= 500));
    process.exit(0);
  },
  onError(errno) {
    errors.push(errno);
    for (const filler of fillers.splice(0)) closeSync(filler);
  },
});
`;

/** `module` and `name` say where the reactor's class is. */
export function descriptorCases(module: string, name: string): void {
  test(`without descriptors ${module} rests half a second, tells EMFILE once, and goes on accepting by itself`, () => {
    const modules = {
      REACTOR: module,
      LISTENING: "../listening-socket",
      OPTIONS: "../socket-options",
      MEMORY: "../memory",
    };
    let script = SCRIPT.replaceAll("CLASS", name);
    for (const [word, file] of Object.entries(modules)) {
      script = script.replace(`import(${word})`, `import("${new URL(`./${file}.js`, import.meta.url).href}")`);
    }
    const limited = spawnSync(
      "sh",
      ["-c", 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, script],
      { encoding: "utf8", timeout: 20_000 },
    );
    assert.deepEqual([limited.stderr, limited.stdout], ["", "errors 24, rested true\n"]);
  });
}
