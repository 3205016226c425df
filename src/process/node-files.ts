/**
 * The configuration of a running node as the files that it was read from, for a partner that compares it with its own
 * (`tandem check --peers`). On the wire it is JSON, compressed, and encrypted under a key of the pair: files have secrets.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import os from "node:os";
import { gunzipSync, gzipSync } from "node:zlib";
import { fromUtf8, latin1 } from "../base/bytes.ts";
import { TANDEM_VERSION } from "../base/version.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { MAX_RECORD_BYTES } from "../vrrp/partner-records.ts";
import { readConfigFile } from "./config-files.ts";
import type { RecordedFiles } from "./recorded-files.ts";

/** Files that are longer, all together, are not sent and not taken. */
const MAX_TEXT_BYTES = 2 << 20;
/** Entries of each table. */
const MAX_ENTRIES = 10_000;
/** A script that is longer is a program. */
const MAX_SCRIPT_BYTES = 64 << 10;
const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A configuration that is in force. Paths are byte strings. */
export interface RunningFiles {
  readonly file: string;
  readonly recorded: RecordedFiles;
}

/** Both halves of a node, as they run. */
export interface RunningConfiguration {
  readonly keepalived: RunningFiles & { readonly configId: string };
  /** undefined: no web server is beside. */
  readonly nginx: RunningFiles | undefined;
}

/** What a node says of its configuration. Paths and texts are byte strings. */
export interface NodeFiles {
  /** As partners call it. */
  readonly node: string;
  readonly hostName: string;
  readonly version: string;
  /** keepalived's `-i`. */
  readonly configId: string;
  readonly keepalived: string;
  /** null: there is no web server, or it was left out. */
  readonly nginx: string | null;
  /** Its files are too long to be sent. */
  readonly isNginxLeftOut: boolean;
  /** Files that are not as they were read any more. */
  readonly stale: readonly string[];
  readonly texts: Readonly<Record<string, string>>;
  /** Patterns, and what matched them. */
  readonly globs: Readonly<Record<string, readonly string[]>>;
  /** Host names, and their addresses. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
}

type Config = Pick<KeepalivedConfig, "scripts" | "globals">;

/** What this node says of itself. */
export function nodeFiles({ keepalived, nginx }: RunningConfiguration, config: Config): NodeFiles {
  const read = { ...keepalived.recorded.texts, ...nginx?.recorded.texts };
  const stale = Object.entries(read).filter(([path, text]) => !isOnDisk(path, text));
  return {
    node: config.globals.routerId ?? os.hostname(),
    hostName: os.hostname(),
    version: TANDEM_VERSION,
    configId: keepalived.configId,
    keepalived: keepalived.file,
    nginx: nginx?.file ?? null,
    isNginxLeftOut: false,
    stale: stale.map(([path]) => path),
    texts: { ...scriptTexts(config), ...read },
    globs: { ...keepalived.recorded.globs, ...nginx?.recorded.globs },
    hosts: { ...nginx?.recorded.hosts },
  };
}

function isOnDisk(path: string, text: string): boolean {
  const now = readConfigFile(path);
  return now instanceof Uint8Array && latin1(now) === text;
}

/** Check scripts: what a node does when its service dies stands in them. */
function scriptTexts({ scripts }: Config): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const word of scripts.flatMap(({ command }) => command.argv.slice(0, 2))) {
    if (!word.startsWith("/")) continue;
    const path = latin1(fromUtf8(word));
    const bytes = readConfigFile(path);
    if (bytes instanceof Uint8Array && bytes.length <= MAX_SCRIPT_BYTES && !bytes.includes(0))
      texts[path] = latin1(bytes);
  }
  return texts;
}

function keyOf(secret: string): Uint8Array {
  return createHmac("sha256", secret).update("tandem peer configuration 1").digest();
}

/** For the wire. What is too long goes without the web server's files; without keepalived's nothing is sent. */
export function packNodeFiles(running: RunningConfiguration, config: Config, secret: string): Uint8Array {
  const whole = seal(nodeFiles(running, config), secret);
  if (whole !== undefined || running.nginx === undefined) return whole ?? new Uint8Array(0);
  const half = nodeFiles({ ...running, nginx: undefined }, config);
  return seal({ ...half, isNginxLeftOut: true }, secret) ?? new Uint8Array(0);
}

function seal(files: NodeFiles, secret: string): Uint8Array | undefined {
  const text = fromUtf8(JSON.stringify(files));
  if (text.length > MAX_TEXT_BYTES) return undefined;
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, keyOf(secret), iv);
  const sealed = Buffer.concat([iv, cipher.update(gzipSync(text)), cipher.final(), cipher.getAuthTag()]);
  return sealed.length > MAX_RECORD_BYTES.configuration ? undefined : new Uint8Array(sealed);
}

/** What a partner has sent, or what is wrong with it. */
export function unpackNodeFiles(bytes: Uint8Array, secret: string): NodeFiles | string {
  if (bytes.length < IV_BYTES + TAG_BYTES) return "it is empty";
  let text: string;
  try {
    const decipher = createDecipheriv(CIPHER, keyOf(secret), bytes.subarray(0, IV_BYTES));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const packed = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
    text = gunzipSync(packed, { maxOutputLength: MAX_TEXT_BYTES }).toString("utf8");
  } catch {
    return "it is not encrypted with our key, or too long";
  }
  return readNodeFiles(text);
}

/** Reads the JSON; unknown properties are left out. */
export function readNodeFiles(text: string): NodeFiles | string {
  const BAD = "it is no configuration that this version understands";
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return BAD;
  }
  if (!isObject(value)) return BAD;
  const { node, hostName, version, configId, keepalived, nginx, isNginxLeftOut, stale } = value;
  const texts = readTable(value["texts"], isString);
  const globs = readTable(value["globs"], areStrings);
  const hosts = readTable(value["hosts"], areStrings);
  if (!isString(node) || !isString(hostName) || !isString(version) || !isString(configId)) return BAD;
  if (!isString(keepalived) || (nginx !== null && !isString(nginx)) || typeof isNginxLeftOut !== "boolean") return BAD;
  if (!areStrings(stale) || texts === undefined || globs === undefined || hosts === undefined) return BAD;
  return { node, hostName, version, configId, keepalived, nginx, isNginxLeftOut, stale, texts, globs, hosts };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function areStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_ENTRIES && value.every(isString);
}

/** A table without a prototype: its names are somebody else's. */
function readTable<T>(value: unknown, isGood: (one: unknown) => one is T): Record<string, T> | undefined {
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value);
  if (entries.length > MAX_ENTRIES) return undefined;
  const table = Object.create(null) as Record<string, T>;
  for (const [name, one] of entries) {
    if (!isGood(one)) return undefined;
    table[name] = one;
  }
  return table;
}
