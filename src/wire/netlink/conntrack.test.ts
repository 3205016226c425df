import assert from "node:assert/strict";
import { test } from "node:test";
import { printIp } from "../../base/ip.ts";
import {
  CONNTRACK_DELETE,
  CONNTRACK_GET,
  decodeConnection,
  encodeConnectionsRequest,
  encodeForget,
} from "./conntrack.ts";
import { HOST_LITTLE_ENDIAN } from "./message.ts";

const onLittleEndian = { skip: HOST_LITTLE_ENDIAN ? false : "the expected bytes are those of a little-endian machine" };

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** A tuple: addresses, then protocol and ports, which are big-endian. */
function tuple(from: string, to: string, ports: string): string {
  return `1400 0180 0800 0100 ${from} 0800 0200 ${to}  1c00 0280 0500 0100 11000000 0600 0200 ${ports.slice(0, 4)} 0000 0600 0300 ${ports.slice(4)} 0000`;
}

const ORIGINAL = tuple("0a3d0002", "0a3d0064", "12670035");
const REPLY = tuple("0a3e000b", "0a3d0002", "00351267");
const CONNECTION = `02 00 0000  3400 0180 ${ORIGINAL}  3400 0280 ${REPLY}  0800 0300 0000000a`;

test("a connection has two directions, whose difference is the translation", onLittleEndian, () => {
  const result = decodeConnection(hex(CONNECTION));
  assert.ok(result.ok);
  const { family, original, reply, name } = result.value;
  assert.deepEqual(
    [family, original.protocol, printIp(original.destination), original.destinationPort, printIp(reply.source)],
    [4, 17, "10.61.0.100", 53, "10.62.0.11"],
  );
  assert.deepEqual(encodeForget(result.value), hex(`02 00 0000  3400 0180 ${ORIGINAL}`));
  assert.deepEqual(name, hex(ORIGINAL));
});

test("what is no connection has a reason", () => {
  for (const bytes of ["", "02 00 0000", "07 00 0000", "02 00 0000 0400 0180 0400 0280", "02 00 0000 0300 0180"])
    assert.equal(decodeConnection(hex(bytes)).ok, false, bytes);
});

test("requests name their family and their subsystem", () => {
  assert.deepEqual(encodeConnectionsRequest(6), Uint8Array.of(10, 0, 0, 0));
  assert.deepEqual([CONNTRACK_GET, CONNTRACK_DELETE], [0x101, 0x102]);
});
