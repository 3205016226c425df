/** From file names to the subject of a check: loads both configurations, the nginx.conf files and the scripts they name. */
import { fromLatin1, fromUtf8, latin1, utf8 } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { Source } from "../conf/directive.ts";
import { loadKeepalived } from "../conf/keepalived/load.ts";
import { type ConfigReader, folderOf, load, sourcesOf } from "../conf/nginx/load.ts";
import type { BoundNginx } from "./bind-nginx.ts";
import type { NodeFacts } from "./facts.ts";
import { type NginxView, viewNginx } from "./nginx-view.ts";
import { parseShell } from "./shell.ts";
import {
  type CheckedNode,
  type CheckedScript,
  type Live,
  pairInstances,
  type Subject,
  scriptRuns,
  serviceOf,
} from "./subject.ts";

/** The files of a check. */
export interface CheckRequest {
  /** undefined: a web server that is no part of a pair. */
  readonly keepalived: string | undefined;
  readonly nginx: string | undefined;
  readonly peerKeepalived: string | undefined;
  readonly peerNginx: string | undefined;
  readonly configId: string;
  /** undefined: the same. */
  readonly peerConfigId?: string;
  /** What the nodes are called; undefined: as their files say. */
  readonly labels?: { readonly node: string; readonly peer: string };
  /** Both run; the machine is `node`. */
  readonly live?: Live;
}

/** What is needed to read them. */
export interface CheckPorts {
  readonly reader: ConfigReader;
  /** undefined: nothing of this machine is looked at. */
  readonly facts: NodeFacts | undefined;
  /** What the directives of an nginx.conf amount to; undefined: they are not looked at. */
  readonly bindNginx?: (source: Source) => BoundNginx;
  /** For the files of the peer; undefined: the same. */
  readonly peer?: Pick<CheckPorts, "reader" | "bindNginx">;
}

/** Loads everything. Never throws on what is in the files. */
export function buildSubject(request: CheckRequest, ports: CheckPorts): Subject {
  const { reader, facts } = ports;
  const peerPorts = { ...ports, ...ports.peer };
  const { live, labels: names } = request;
  const texts = new Map<string, string>();
  const nginx = request.nginx === undefined ? undefined : loadNginx(request.nginx, ports, texts);
  const peerNginx =
    request.peerNginx === undefined
      ? live === undefined
        ? nginx
        : undefined
      : loadNginx(request.peerNginx, peerPorts, texts);
  const node =
    request.keepalived === undefined
      ? webServer(nginx)
      : loadNode(request.keepalived, request.configId, nginx, reader, texts, names?.node);
  const peer =
    request.peerKeepalived === undefined
      ? undefined
      : loadNode(
          request.peerKeepalived,
          request.peerConfigId ?? request.configId,
          peerNginx,
          peerPorts.reader,
          texts,
          names?.peer,
        );
  const labels = peer !== undefined && peer.label === node.label;
  const [first, second] = labels
    ? [
        { ...node, label: "the first node" },
        { ...(peer as CheckedNode), label: "the other node" },
      ]
    : [node, peer];
  return {
    node: first,
    peer: second,
    pairs: second === undefined ? [] : pairInstances(first, second),
    texts,
    facts,
    live,
    isHere: facts !== undefined && (live !== undefined || isThisMachine(first, facts)),
  };
}

function loadNginx(file: string, { reader, bindNginx }: CheckPorts, texts: Map<string, string>): NginxView {
  const source = load(file, reader);
  // The tree is made of byte strings.
  for (const one of sourcesOf(source)) texts.set(one.file, utf8(fromLatin1(one.text ?? "")));
  return viewNginx(source, bindNginx?.(source));
}

/** A node that no keepalived runs on. */
function webServer(nginx: NginxView | undefined): CheckedNode {
  const { config } = loadKeepalived("", { reader: { read: () => new Uint8Array(0), glob: () => [] }, configId: "" });
  return { label: "", file: "", config, diagnostics: [], isUnread: false, scripts: [], nginx };
}

function loadNode(
  file: string,
  configId: string,
  nginx: NginxView | undefined,
  reader: ConfigReader,
  texts: Map<string, string>,
  label: string | undefined,
): CheckedNode {
  const loaded = loadKeepalived(file, { reader, configId });
  for (const path of loaded.files) {
    const text = readText(path, reader);
    if (text !== undefined) texts.set(path, text);
  }
  const near = [folderOf(file), `${folderOf(file)}../`, ...(nginx === undefined ? [] : [folderOf(nginx.file)])];
  const scripts = loaded.config.scripts.map((script) => loadScript(script, near, reader));
  for (const { source, text } of scripts) if (source !== undefined && text !== undefined) texts.set(source, text);
  return {
    label: label ?? loaded.config.globals.routerId ?? file.slice(file.lastIndexOf("/") + 1),
    file,
    config: loaded.config,
    diagnostics: loaded.diagnostics,
    isUnread: loaded.files.length === 0,
    scripts,
    nginx,
  };
}

/** A script from its own path, else a copy of the same name beside a configuration or in the folder above. */
function loadScript(script: CheckedScript["script"], near: readonly string[], reader: ConfigReader): CheckedScript {
  const path = shellArgument(script.command.argv) ?? (script.command.argv[0] as string);
  const name = path.slice(path.lastIndexOf("/") + 1);
  const located = reader.locate?.(path) ?? path;
  for (const source of [located, ...near.map((folder) => folder + name)]) {
    if (!source.includes("/") && source === located) continue;
    const text = readText(source, reader);
    // A compiled program is no text.
    if (text === undefined || text.includes("\0")) continue;
    const shell = parseShell(text);
    return {
      script,
      path,
      source,
      text,
      shell,
      service: serviceOf(shell),
      runs: scriptRuns(shell, path, script.timeoutMs),
    };
  }
  return builtIn(script, path);
}

/** `/bin/sh script.sh`: the script is the argument. */
function shellArgument(argv: readonly string[]): string | undefined {
  const [program = "", argument] = argv;
  return /(^|\/)(ba|da|k|z)?sh$/.test(program) && argument !== undefined && !argument.startsWith("-")
    ? argument
    : undefined;
}

/** `killall -0 nginx`, `sh -c '…'`: the command line is itself the script. */
function builtIn(script: CheckedScript["script"], path: string): CheckedScript {
  const { argv } = script.command;
  const isShell = /(^|\/)(ba|da|k|z)?sh$/.test(argv[0] ?? "") && argv[1] === "-c" && argv[2] !== undefined;
  const text = isShell ? (argv[2] as string) : argv.map(quote).join(" ");
  const shell = parseShell(text);
  const runs = scriptRuns(shell, path, script.timeoutMs);
  const isKnown = runs.whileBroken.outcomes.every(({ unknowns }) => unknowns.length === 0);
  const unread = { source: undefined, text: undefined };
  return { script, path, ...unread, shell, service: serviceOf(shell), runs: isKnown ? runs : undefined };
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Paths of the reader are byte strings. */
function readText(path: string, reader: ConfigReader): string | undefined {
  const bytes = reader.read(latin1(fromUtf8(path)));
  return "errno" in bytes ? undefined : utf8(bytes);
}

/** The machine is the node when it has the node's source address, or the node's name. */
function isThisMachine(node: CheckedNode, facts: NodeFacts): boolean {
  const local = new Set(facts.interfaces.flatMap(({ addresses }) => addresses));
  const sources = node.config.instances.flatMap(({ sourceAddress }) =>
    sourceAddress === undefined ? [] : [sourceAddress],
  );
  if (sources.some((address) => local.has(printIp(address)))) return true;
  return node.file === "/etc/keepalived/keepalived.conf" || node.config.globals.routerId === facts.hostName;
}
