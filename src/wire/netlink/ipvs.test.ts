import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../base/ip.ts";
import { decodeFamily, encodeFamiliesRequest } from "./generic.ts";
import {
  encodeDestination,
  encodeFlush,
  encodeService,
  encodeServiceRemoval,
  encodeTimeouts,
  FORWARD_MASQUERADE,
  FORWARD_TUNNEL,
  IPVS_DEL_DEST,
  IPVS_NEW_DEST,
  IPVS_NEW_SERVICE,
  IPVS_SET_SERVICE,
  type IpvsDestination,
  type IpvsService,
} from "./ipvs.ts";
import { HOST_LITTLE_ENDIAN } from "./message.ts";

const onLittleEndian = { skip: HOST_LITTLE_ENDIAN ? false : "the expected bytes are those of a little-endian machine" };

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function ip(text: string): Uint8Array {
  const address = parseIp(text);
  assert.ok(address);
  return address;
}

const service: IpvsService = {
  key: { family: 4, protocol: 6, ip: ip("10.0.0.1"), port: 80 },
  scheduler: "wrr",
  flags: 0x1,
  timeoutS: 300,
  netmask: 0xffffff00,
  engine: undefined,
};
const destination: IpvsDestination = {
  ip: ip("10.0.0.2"),
  port: 8080,
  method: FORWARD_MASQUERADE,
  weight: 3,
  upperThreshold: 100,
  lowerThreshold: 50,
  tunnelType: 0,
  tunnelPort: 0,
  tunnelFlags: 0,
};

/** Address family, protocol, address and port, as linux/ip_vs.h has them: IPVS_SVC_ATTR_AF 1, _PROTOCOL 2, _ADDR 3, _PORT 4. */
const KEY =
  "0600 0100 0200 0000  0600 0200 0600 0000  1400 0300 0a000001 00000000 00000000 00000000  0600 0400 0050 0000";

test("a service is what IPVS_CMD_NEW_SERVICE expects", onLittleEndian, () => {
  assert.deepEqual(
    encodeService(IPVS_NEW_SERVICE, service),
    hex(`01 01 0000  5400 0180 ${KEY}
      0800 0600 77727200  0c00 0700 01000000 ffffffff  0800 0800 2c010000  0800 0900 ffffff00`),
  );
});

test("a mark is a service without address, and the mask of IPv6 is the length of a prefix", onLittleEndian, () => {
  assert.deepEqual(
    encodeService(IPVS_SET_SERVICE, {
      ...service,
      key: { family: 6, mark: 7 },
      flags: 0,
      timeoutS: 0,
      netmask: 64,
      engine: "sip",
    }),
    hex(`02 01 0000  4000 0180 0600 0100 0a00 0000  0800 0500 07000000
      0800 0600 77727200  0800 0b00 73697000  0c00 0700 00000000 ffffffff  0800 0800 00000000  0800 0900 40000000`),
  );
  assert.deepEqual(encodeServiceRemoval(service.key), hex(`03 01 0000  3000 0180 ${KEY}`));
});

test("a destination has its address, how it is reached, weight and thresholds", onLittleEndian, () => {
  const address = "0600 0b00 0200 0000  1400 0100 0a000002 00000000 00000000 00000000  0600 0200 1f90 0000";
  assert.deepEqual(
    encodeDestination(IPVS_NEW_DEST, service.key, destination),
    hex(`05 01 0000  3000 0180 ${KEY}  4800 0280 ${address}
      0800 0300 00000000  0800 0400 03000000  0800 0500 64000000  0800 0600 32000000`),
  );
  assert.deepEqual(
    encodeDestination(IPVS_DEL_DEST, service.key, destination),
    hex(`07 01 0000  3000 0180 ${KEY}  2800 0280 ${address}`),
  );
  const tunnel = { ...destination, method: FORWARD_TUNNEL, tunnelType: 1, tunnelPort: 6080, tunnelFlags: 1 };
  const encoded = encodeDestination(IPVS_NEW_DEST, service.key, tunnel);
  assert.deepEqual(encoded.subarray(-24), hex("0500 0d00 01000000  0600 0e00 17c0 0000  0600 0f00 0100 0000"));
});

test("time limits and the end of everything", onLittleEndian, () => {
  assert.deepEqual(
    encodeTimeouts({ tcp: 900, tcpFin: 0, udp: 300 }),
    hex("0c 01 0000  0800 0400 84030000  0800 0500 00000000  0800 0600 2c010000"),
  );
  assert.deepEqual(encodeFlush(), hex("11 01 0000"));
});

test("a family is found by its name", onLittleEndian, () => {
  assert.deepEqual(encodeFamiliesRequest(), hex("03 01 0000"));
  const answer = hex("01 02 0000  0900 0200 49505653 00000000  0600 0100 1f00 0000");
  assert.deepEqual(decodeFamily(answer), { ok: true, value: { name: "IPVS", id: 31 } });
  assert.equal(decodeFamily(hex("01 02 0000")).ok, false);
  assert.equal(decodeFamily(hex("01 02")).ok, false);
});
