/** Which test files `npm test` runs beside each other. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

interface File {
  readonly name: string;
  readonly kind: string;
}
type Stage = File[][][];
interface Lanes {
  kindOf(name: string, text: string): string;
  stagesOf(files: readonly File[], weightOf: (file: File) => number): Stage[];
  runStages(stages: readonly Stage[], run: (file: File) => Promise<void>): Promise<void>;
}

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const lanes: Lanes = await import(pathToFileURL(path.join(root, "scripts/lanes.mjs")).href);

test("the first line says what a file is, else its folder", () => {
  assert.equal(lanes.kindOf("test/netns/a.test.ts", "/** A. */\n"), "waits");
  assert.equal(lanes.kindOf("test/netns/a.test.ts", "// lane: measures (gaps)\n"), "measures");
  assert.equal(lanes.kindOf("test/a.test.ts", "// lane: waits\n"), "waits");
  assert.equal(lanes.kindOf("test/a.test.ts", "\n// lane: waits\n"), "host");
  assert.throws(() => lanes.kindOf("test/a.test.ts", "// lane: fast\n"), /test\/a\.test\.ts: there is no lane "fast"/);
});

test("every file of tests says something known", () => {
  for (const folder of ["src", "test", "bench"])
    for (const name of readdirSync(path.join(root, folder), { recursive: true }) as string[])
      if (/\.(test|fuzz)\.ts$/.test(name)) {
        const file = path.join(folder, name);
        lanes.kindOf(file, readFileSync(path.join(root, file), "utf8"));
      }
});

test("everything runs once, nothing beside what it must not be beside, and the longest first", async () => {
  const kinds = ["alone", "host", "measures", "waits"];
  const files = Array.from({ length: 40 }, (_, i) => ({ name: `${i}`, kind: kinds[i % 4] as string }));
  const running = new Set<File>();
  const begun: File[] = [];
  let most = 0;
  await lanes.runStages(
    lanes.stagesOf(files, ({ name }) => Number(name)),
    async (file) => {
      begun.push(file);
      running.add(file);
      most = Math.max(most, running.size);
      const of = (kind: string): number => [...running].filter((one) => one.kind === kind).length;
      if (of("alone") > 0) assert.equal(running.size, 1);
      if (of("host") > 0) assert.equal(of("host"), running.size);
      assert.ok(of("measures") <= 1);
      // Some take longer than others.
      for (let i = 0; i <= Number(file.name) % 7; i++) await new Promise((resolve) => setImmediate(resolve));
      running.delete(file);
    },
  );
  assert.equal(most, 2);
  assert.equal(new Set(begun).size, files.length);
  for (const kind of kinds) {
    const names = begun.filter((file) => file.kind === kind).map(({ name }) => Number(name));
    assert.deepEqual(
      names,
      names.toSorted((a, b) => b - a),
      kind,
    );
  }
});
