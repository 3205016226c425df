import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { readerOf } from "../conf/keepalived/example.ts";
import { type LoadedKeepalived, loadKeepalived } from "../conf/keepalived/load.ts";
import { KeepalivedReload } from "./keepalived-reload.ts";

interface World {
  readonly folder: string;
  readonly logs: string[];
  readonly applied: KeepalivedConfig[];
  /** What is in the configuration file now. */
  text: string;
  /** Called while the files are being read. */
  onRead: () => void;
  readonly reloads: KeepalivedReload<LoadedKeepalived>;
}

async function withWorld(globals: string, body: (world: World) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-reload-"));
  const text = (own: string): string => `global_defs {\n${own.replaceAll("FOLDER", folder)}\n}\n`;
  const parse = (): LoadedKeepalived =>
    loadKeepalived("/k", { reader: readerOf({ "/k": world.text }), configId: "node" });
  const logs: string[] = [];
  const applied: KeepalivedConfig[] = [];
  const world: { -readonly [K in keyof World]: World[K] } = {
    folder,
    logs,
    applied,
    text: text(globals),
    onRead: () => {},
    reloads: undefined as unknown as KeepalivedReload<LoadedKeepalived>,
  };
  const log = { enabled: () => true, write: (_level: string, line: string) => void logs.push(line) };
  const load = (): LoadedKeepalived => {
    world.onRead();
    return parse();
  };
  world.reloads = new KeepalivedReload(parse().config.globals, {
    log,
    load,
    complain: ({ diagnostics }) => void logs.push(...diagnostics.map(({ message }) => message)),
    apply: ({ config }) => void applied.push(config),
    reloadFile: path.join(folder, "standard.reload"),
  });
  try {
    await body(world);
  } finally {
    world.reloads.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 15_000;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("with reload_check_config nothing is taken over that -t would complain about, and the log file says what", async () => {
  await withWorld("reload_check_config FOLDER/check.log", (world) => {
    const file = path.join(world.folder, "check.log");
    const good = world.text;
    world.text += "priorty 100\n";
    world.reloads.reload();
    assert.deepEqual(world.applied, []);
    assert.match(readFileSync(file, "utf8"), /Line 4\) Unknown keyword 'priorty'/);
    assert.deepEqual(world.logs, [
      "validate conf before Reload",
      `New config failed validation, see ${file} for details`,
    ]);
    world.text = good;
    world.reloads.reload();
    assert.equal(world.applied.length, 1);
    assert.equal(statSync(file).size, 0);
  });
});

test("without it what can be used is taken over, complaints and all", async () => {
  await withWorld("", (world) => {
    world.text += "priorty 100\n";
    world.reloads.reload();
    assert.equal(world.applied.length, 1);
    world.text = "global_defs {\nenable_dbus\n}\n";
    world.reloads.reload();
    assert.equal(world.applied.length, 1, "what is refused is not");
  });
});

test("the reload_file is there, and empty, while files are read, and only then", async () => {
  for (const [globals, name] of [
    ["reload_file FOLDER/own", "own"],
    ["reload_file", "standard.reload"],
  ] as const)
    await withWorld(globals, (world) => {
      const file = path.join(world.folder, name);
      writeFileSync(file, "written by whoever asks for the reload");
      let sizeThen: number | undefined;
      world.onRead = () => {
        sizeThen = statSync(file).size;
      };
      world.reloads.reload();
      assert.equal(sizeThen, 0);
      assert.equal(existsSync(file), false);
      assert.equal(world.applied.length, 1);
    });
  await withWorld("reload_file FOLDER/none/own", (world) => {
    world.reloads.reload();
    assert.match(world.logs[0] ?? "", /^Failed to create reload file \(.*\/none\/own\) 2 - ENOENT$/);
    assert.equal(world.applied.length, 1);
  });
});

test("the time in the reload_time_file is scheduled, changed, cancelled, kept to, and the file removed", async () => {
  await withWorld("reload_time_file FOLDER/at", async (world) => {
    const file = path.join(world.folder, "at");
    const write = (ms: number): void =>
      writeFileSync(file, new Date(Date.now() + ms).toISOString().replace("T", " ").replace(/\..*/, "Z\n"));
    const has = (pattern: RegExp) => () => world.logs.some((line) => pattern.test(line));
    write(3_600_000);
    await until("scheduled", has(/^Scheduling reload for/));
    write(7_200_000);
    await until("another time", has(/^Reload time updated from .* to /));
    rmSync(file);
    await until("cancelled", has(/^Cancelling reload scheduled for/));
    write(1500);
    await until("the reload", () => world.applied.length === 1);
    assert.equal(existsSync(file), false);
  });
});

test("with reload_repeat the file stays, and a time of every day is scheduled again", async () => {
  await withWorld("reload_time_file FOLDER/at\nreload_repeat", async (world) => {
    const file = path.join(world.folder, "at");
    writeFileSync(file, `${new Date(Date.now() + 1500).toISOString().slice(11, 19)}Z`);
    await until("the reload", () => world.applied.length === 1);
    assert.equal(existsSync(file), true);
    assert.equal(world.logs.filter((line) => line.startsWith("Scheduling reload for")).length, 2);
  });
});
