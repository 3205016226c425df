import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fromUtf8, latin1 } from "../base/bytes.ts";
import { loadKeepalivedConfiguration } from "./keepalived-configuration.ts";
import { nodeFiles, packNodeFiles, type RunningConfiguration, readNodeFiles, unpackNodeFiles } from "./node-files.ts";
import { RecordingReader } from "./recorded-files.ts";

const folder = mkdtempSync(path.join(tmpdir(), "node-files-"));
after(() => rmSync(folder, { recursive: true }));
const SECRET = "a-secret-of-this-test";
const at = (name: string): string => path.join(folder, name);
const byteString = (text: string): string => latin1(fromUtf8(text));

writeFileSync(at("check.sh"), "#!/bin/sh\nexit 0\n");
writeFileSync(at("more.conf"), "# ä\n");
writeFileSync(
  at("keepalived.conf"),
  `global_defs {\nrouter_id lb-a\n}\ninclude more*.conf\nvrrp_script chk {\nscript "/bin/sh ${at("check.sh")}"\n}\n`,
);
writeFileSync(at("nginx.conf"), "events { }\n");

function running(nginxText?: string) {
  const loaded = loadKeepalivedConfiguration({ file: at("keepalived.conf"), configId: "a" });
  const reader = new RecordingReader();
  reader.read(at("nginx.conf"));
  const texts = nginxText === undefined ? reader.recorded.texts : { [at("nginx.conf")]: nginxText };
  const nginx = { file: at("nginx.conf"), recorded: { ...reader.recorded, texts } };
  const configuration: RunningConfiguration = { keepalived: loaded.source, nginx };
  return { configuration, config: loaded.config };
}

test("a node tells all files that it has read, its scripts, and what its patterns matched", () => {
  const { configuration, config } = running();
  const files = nodeFiles(configuration, config);
  assert.equal(files.node, "lb-a");
  assert.deepEqual(Object.keys(files.texts).sort(), ["check.sh", "keepalived.conf", "more.conf", "nginx.conf"].map(at));
  assert.equal(files.texts[at("more.conf")], byteString("# ä\n"));
  assert.deepEqual(files.globs[at("more*.conf")], [at("more.conf")]);
  assert.deepEqual([files.keepalived, files.nginx, files.stale], [at("keepalived.conf"), at("nginx.conf"), []]);
});

test("a file that is not as it was read is told, and what was read goes out", () => {
  const { configuration, config } = running("events { worker_connections 7; }\n");
  const files = nodeFiles(configuration, config);
  assert.deepEqual(files.stale, [at("nginx.conf")]);
  assert.match(files.texts[at("nginx.conf")] ?? "", /connections 7/);
});

test("what is packed is read with the same secret only, and nothing of it can be read on the wire", () => {
  const { configuration, config } = running();
  const packed = packNodeFiles(configuration, config, SECRET);
  const read = unpackNodeFiles(packed, SECRET);
  assert.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(nodeFiles(configuration, config))));
  assert.equal(Buffer.from(packed).indexOf("keepalived"), -1);
  assert.notDeepEqual(packed, packNodeFiles(configuration, config, SECRET), "never the same twice");
  for (const [bytes, secret] of [
    [packed, "another-secret-of-it"],
    [packed.subarray(0, -1), SECRET],
    [Uint8Array.from(packed, (byte, i) => (i === 40 ? byte ^ 1 : byte)), SECRET],
  ] as const)
    assert.match(String(unpackNodeFiles(bytes, secret)), /not encrypted with our key/);
  assert.equal(unpackNodeFiles(new Uint8Array(0), SECRET), "it is empty");
});

test("an nginx.conf that is too long is left out, and said to be", () => {
  const { configuration, config } = running("x".repeat((2 << 20) + 1));
  const files = unpackNodeFiles(packNodeFiles(configuration, config, SECRET), SECRET);
  assert.ok(typeof files !== "string");
  assert.deepEqual([files.nginx, files.isNginxLeftOut], [null, true]);
  assert.ok(Object.hasOwn(files.texts, at("more.conf")) && !Object.hasOwn(files.texts, at("nginx.conf")));
});

test("names that objects have by themselves are names like any other", () => {
  const { configuration, config } = running();
  const files = nodeFiles(configuration, config);
  const read = readNodeFiles(JSON.stringify(files).replace('"texts":{', '"texts":{"__proto__":"x","constructor":"y",'));
  assert.ok(typeof read !== "string");
  assert.equal(read.texts["constructor"], "y");
  assert.ok(Object.hasOwn(read.texts, "__proto__"));
});
