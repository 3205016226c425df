/**
 * A host that hears every advert of its segment and sends whatever it is told to: started inside a namespace.
 * Standard input: one packet a line, hexadecimal, IPv4 header included. Standard output: what was heard, a JSON line each.
 */
import { createInterface } from "node:readline";
import { printIp } from "../../src/base/ip.ts";
import { openRouting } from "../../src/os/routing.ts";
import { KernelSegments } from "../../src/os/segments.ts";
import { decodeIpv4 } from "../../src/wire/ipv4.ts";
import { decodeAdvert, VRRP_GROUP_4 } from "../../src/wire/vrrp/advert.ts";

const link = openRouting().link("eth0");
if (link === undefined) throw new Error("no eth0");
const source = Uint8Array.of(192, 168, 50, 199);
const settings = {
  link,
  family: 4,
  group: VRRP_GROUP_4,
  source,
  hopLimit: 255,
  receiveBufferBytes: undefined,
} as const;
const socket = new KernelSegments().openAdverts(settings, (packet) => {
  const outer = decodeIpv4(packet);
  if (!outer.ok) return;
  const read = decodeAdvert(outer.value.payload, outer.value);
  const from = printIp(outer.value.source);
  const heard = read.ok ? { vrid: read.value.vrid, priority: read.value.priority } : { reason: read.reason };
  process.stdout.write(`${JSON.stringify({ atMs: Number(process.hrtime.bigint()) / 1e6, from, ...heard })}\n`);
});
createInterface({ input: process.stdin }).on("line", (line) => {
  const result = socket.send(new Uint8Array(Buffer.from(line, "hex")), VRRP_GROUP_4);
  if (result < 0) throw new Error(`send: errno ${-result}`);
});
process.stdin.on("end", () => process.exit(0));
process.stdout.write("{}\n");
