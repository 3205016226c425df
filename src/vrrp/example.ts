/** A router and a node as the tutorial configures them: where tests and the simulation begin, changing what they care about. */

import { assert } from "../base/assert.ts";
import { fromLatin1 } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import { parseIp } from "../base/ip.ts";
import type { VirtualAddress, VirtualLink, VrrpInstance, VrrpScript } from "../conf/keepalived/config.ts";
import { FakeDetours } from "../io/detour-fake.ts";
import { NO_NEIGHBOURS } from "../io/neighbours.ts";
import { FakePeerNetwork } from "../io/peer-socket-fake.ts";
import { FakeRoutes } from "../io/routes-fake.ts";
import { FakeRouting } from "../io/routing-fake.ts";
import { FakeVirtualLinks } from "../io/virtual-links-fake.ts";
import { VRRP_GROUP_4 } from "../wire/vrrp/advert.ts";
import type { NodeConfig, NodePorts } from "./ports.ts";

const at = { file: "example.conf", line: 1 };
const where = new Map();

/** An address that has to parse. */
export function ip(text: string): IpAddress {
  const address = parseIp(text);
  assert(address !== undefined, `an address: ${text}`);
  return address;
}

/** An address without options on `eth0`. */
export function exampleAddress(text: string): VirtualAddress {
  const address = ip(text);
  return {
    address,
    prefixLength: address.length * 8,
    interface: "eth0",
    broadcast: undefined,
    scope: 0,
    label: undefined,
    peer: undefined,
    home: false,
    noDad: false,
    manageTemporary: false,
    noPrefixRoute: false,
    autoJoin: false,
    noTrack: false,
    preferredLifetimeS: undefined,
    at,
  };
}

/** Eight bytes. */
export function examplePassword(text: string): VrrpInstance["authentication"] {
  const password = new Uint8Array(8);
  password.set(fromLatin1(text));
  return { type: "PASS", password };
}

/** A link with the virtual MAC address of `exampleInstance`. */
export const EXAMPLE_VMAC: VirtualLink = {
  name: "vrrp.33",
  kind: "macvlan",
  base: "eth0",
  family: 4,
  mac: Uint8Array.of(0, 0, 0x5e, 0, 1, 33),
  ipvlanType: "bridge",
  address: undefined,
  carriesAdverts: true,
  group: undefined,
  forcesNotification: false,
};

/** VRRP version 2, VRID 33, priority 100, one address, no authentication. */
export function exampleInstance(changes: Partial<VrrpInstance> = {}): VrrpInstance {
  return {
    name: "VI_1",
    initialState: "BACKUP",
    interface: "eth0",
    virtualLink: undefined,
    addressLinks: [],
    advertInterface: "eth0",
    sendsFromBase: false,
    virtualRouterId: 33,
    priority: 100,
    version: 2,
    family: 4,
    advertIntervalMs: 1000,
    sourceAddress: undefined,
    multicastGroup: VRRP_GROUP_4,
    unicast: false,
    unicastPeers: [],
    unicastTtl: undefined,
    checkUnicastSource: false,
    unicastFaultWithoutPeer: false,
    authentication: undefined,
    authHmac: undefined,
    strict: false,
    addresses: [exampleAddress("192.168.50.130")],
    excludedAddresses: [],
    routes: [],
    rules: [],
    itemLinks: [],
    nopreempt: false,
    preemptDelayMs: 0,
    tracks: { scripts: [], interfaces: [], processes: [], files: [], bfds: [], upstreams: [] },
    trackPrimary: true,
    trackSourceAddress: false,
    accept: true,
    downTimerAdverts: 3,
    announce: {
      delayMs: 5000,
      repeat: 5,
      refreshMs: 0,
      refreshRepeat: 1,
      lowerPriorityDelayMs: 5000,
      lowerPriorityRepeat: 5,
      garpIntervalMs: 0,
      gnaIntervalMs: 0,
      extraIntervalMs: 0,
      extraEverywhere: false,
    },
    lowerPriorityNoAdvert: false,
    higherPrioritySendAdvert: false,
    skipCheckAdvertAddresses: false,
    ownerIgnoresAdverts: false,
    v3ChecksumAsV2: false,
    unicastChecksum: "auto",
    highestOtherPriority: undefined,
    promoteSecondaries: false,
    receiveBuffer: undefined,
    notifies: {
      master: undefined,
      backup: undefined,
      fault: undefined,
      stop: undefined,
      deleted: false,
      any: undefined,
      masterRxLowerPriority: undefined,
    },
    smtpAlert: false,
    notifyPriorityChanges: false,
    splitBrain: undefined,
    flapDamping: undefined,
    syncGroup: undefined,
    at,
    where,
    ...changes,
  };
}

/** A script of weight -20 that is run every second. */
export function exampleScript(changes: Partial<VrrpScript> = {}): VrrpScript {
  return {
    name: "chk",
    command: { text: "/bin/true", argv: ["/bin/true"], user: undefined, at },
    intervalMs: 1000,
    timeoutMs: 1000,
    weight: -20,
    weightReverse: false,
    rise: 1,
    fall: 1,
    initFail: false,
    at,
    where,
    ...changes,
  };
}

/** The ports of a node that has no partner. */
export function alone(
  routing = new FakeRouting([]),
): Pick<NodePorts, "peer" | "detours" | "virtualLinks" | "routes" | "draining" | "record" | "neighbours" | "want"> {
  const sockets = new FakePeerNetwork(
    () => [],
    () => {},
  ).plug("alone");
  return {
    peer: {
      sockets,
      seal: () => (bytes) => bytes,
      random: (sizeBytes) => new Uint8Array(sizeBytes),
      hostName: "alone",
      ownRecord: () => {},
    },
    detours: new FakeDetours(),
    virtualLinks: new FakeVirtualLinks(routing),
    routes: new FakeRoutes(),
    draining: () => {},
    record: () => {},
    neighbours: NO_NEIGHBOURS,
    want: () => {},
  };
}

/** A node with one instance. */
export function exampleNode(changes: Partial<NodeConfig> = {}): NodeConfig {
  return {
    globals: {
      startupDelayMs: 0,
      logUnknownVrids: false,
      routerId: undefined,
      peer: { key: undefined, port: 61_112, handoverLimitMs: 300_000 },
    },
    scripts: [],
    trackProcesses: [],
    trackFiles: [],
    bfds: [],
    forwarded: [],
    syncGroups: [],
    instances: [exampleInstance()],
    linkDelays: [],
    garpGroups: [],
    statics: { addresses: [], routes: [], rules: [] },
    ...changes,
  };
}
