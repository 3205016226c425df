/**
 * The lab's hand inside one namespace: a program that configures links, runs the node's programs or the client's probes,
 * and dies with its IPC channel. Its pid namespace, and everything in it, dies with its parent (a shell that reaps orphans).
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseIp, printIp } from "../base/ip.ts";
import { type Address, type AddressSettings, type RoutingFailure, SCOPES } from "../io/routing.ts";
import { openRouting } from "../os/routing.ts";
import { KeepAliveLoad } from "./keep-alive.ts";
import { makePrivateFiles, writeStaged } from "./private-files.ts";
import { Probe, probeOnce } from "./probe.ts";
import { Programs } from "./programs.ts";
import type { AgentCalls, AgentEvent, AgentMessage, AgentRequest, LinkSettings } from "./protocol.ts";
import { StreamLoad } from "./streams.ts";
import { nowMs } from "./time.ts";

/** A call may answer at once or later. */
type Served = {
  [Name in keyof AgentCalls]: (...args: Parameters<AgentCalls[Name]>) => Answer<ReturnType<AgentCalls[Name]>>;
};
type Answer<T> = T | Promise<T>;

/** The port of a raw socket is its protocol, here 112. */
const VRRP_SOCKET = /^ *\d+: [0-9A-F]+:0070 /m;

function send(message: AgentMessage): void {
  if (process.connected) process.send?.(message);
}

const tell = (event: AgentEvent): void => send(event);
const tellFailure = (what: string): void => tell({ event: "failure", what, atMs: nowMs() });

function ok(failure: RoutingFailure | undefined): void {
  if (failure !== undefined) throw new Error(failure.message);
}

function serve(): Served {
  const routing = openRouting();
  const programs = new Programs(tell);
  let probe: Probe | undefined;
  let load: KeepAliveLoad | undefined;
  let streams: StreamLoad | undefined;
  const given = new Set<string>();

  function linkIndex(name: string): number {
    const link = routing.link(name);
    if (link === undefined) throw new Error(`no link ${name}`);
    return link.index;
  }

  function configureLink(settings: LinkSettings): void {
    const index = linkIndex(settings.name);
    for (const text of settings.addresses) {
      const [host, prefix] = text.split("/");
      const ip = parseIp(host ?? "");
      if (ip === undefined) throw new Error(`no address: ${text}`);
      ok(routing.addAddress({ linkIndex: index, ip, prefixLength: Number(prefix), nodad: true }));
      given.add(printIp(ip));
    }
    ok(routing.setLinkUp(index, true));
  }

  function restoreAddresses(): void {
    for (const address of routing.addresses())
      if ((address.scope === SCOPES.global || address.label === "lo:tandem") && !given.has(printIp(address.ip)))
        ok(routing.removeAddress(nameOf(address)));
  }

  function watchAddresses(): void {
    const report = (address: Address, held: boolean): void => {
      const link = watch.links.get(address.linkIndex)?.name ?? "";
      tell({ event: "address", ip: printIp(address.ip), link, held, atMs: nowMs() });
    };
    const watch = routing.watch({
      onLink: () => {},
      onLinkGone: () => {},
      onAddress: (address) => report(address, true),
      onAddressGone: (address) => report(address, false),
    });
    for (const address of watch.addresses()) report(address, true);
  }

  return {
    stage: (files) => makePrivateFiles(files, [fileURLToPath(import.meta.url), process.execPath]),
    writeFile: writeStaged,
    configureLink,
    restoreAddresses,
    setLinkUp: ({ name, up }) => ok(routing.setLinkUp(linkIndex(name), up)),
    watchAddresses,
    spawn: (settings) => programs.start(settings),
    signal: ({ name, signal }) => programs.signal(name, signal as NodeJS.Signals),
    signalPart: ({ part, signal }) => programs.signalPart(part, signal as NodeJS.Signals),
    suppress: (part) => programs.suppress(part),
    hearsVrrp: () => ["/proc/net/raw", "/proc/net/raw6"].some((file) => VRRP_SOCKET.test(readFileSync(file, "latin1"))),
    processes: () => programs.list(),
    fetch: async (settings) => (await probeOnce(settings)).body,
    startProbe: (settings) => {
      probe?.stop();
      probe = new Probe(settings, tellFailure);
    },
    takeProbeResults: () => probe?.take() ?? [],
    stopProbe: () => {
      probe?.stop();
      probe = undefined;
    },
    startKeepAlive: (settings) => {
      load = new KeepAliveLoad(settings, tellFailure);
    },
    stopKeepAlive: () => {
      const result = load?.stop() ?? { requests: 0, connections: 0, failures: {} };
      load = undefined;
      return result;
    },
    startStreams: (settings) => {
      streams = new StreamLoad(settings, tellFailure);
    },
    stopStreams: async () => {
      const result = await streams?.stop();
      streams = undefined;
      return result ?? { downloads: 0, uploads: 0, tunnels: 0, echoes: 0, broken: {} };
    },
  };
}

/** What names an address for its removal. */
function nameOf({ linkIndex, ip, prefixLength, peer }: Address): AddressSettings {
  return peer === undefined ? { linkIndex, ip, prefixLength } : { linkIndex, ip, prefixLength, peer };
}

/** Answers calls until the channel closes. */
function main(): void {
  // Only the lab ends an agent: a signal from the terminal is meant for the lab.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  process.on("disconnect", () => process.exit(0));
  const calls = serve();
  process.on("message", async (request: AgentRequest) => {
    const call = calls[request.call] as (argument: unknown) => unknown;
    try {
      send({ id: request.id, value: await call(request.argument) });
    } catch (error) {
      send({ id: request.id, error: error instanceof Error ? error.message : String(error) });
    }
  });
  tell({ event: "ready" });
}

main();
