import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { IpRoute, IpRule } from "../../base/ip-route.ts";
import { decodeAttributes } from "./attributes.ts";
import { HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";
import { decodeRoute } from "./route.ts";
import { encodeRouteRequest } from "./route-request.ts";
import { encodeRule } from "./rule.ts";

const u8 = fc.integer({ min: 0, max: 255 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const hop = fc.record({
  gateway: maybe(v4),
  linkIndex: maybe(fc.integer({ min: 1, max: 0x7fffffff })),
  weight: fc.integer({ min: 1, max: 256 }),
  onlink: fc.boolean(),
  realms: u32,
});
const route: fc.Arbitrary<IpRoute> = fc.record({
  family: fc.constant(4 as const),
  type: u8,
  destination: fc.record({ address: v4, prefixLength: u8 }),
  source: fc.constant(undefined),
  preferredSource: maybe(v4),
  gateway: maybe(v4),
  linkIndex: maybe(u32),
  table: u32,
  protocol: u8,
  scope: maybe(u8),
  metric: maybe(u32),
  typeOfService: u8,
  onlink: fc.boolean(),
  realms: u32,
  expiresS: maybe(u32),
  preference: maybe(u8),
  ttlPropagate: maybe(u8),
  metrics: fc.array(fc.tuple(fc.integer({ min: 2, max: 17 }), u32), { maxLength: 5 }),
  locks: u32,
  congestionControl: maybe(fc.constantFrom("cubic", "bbr")),
  nextHops: fc.array(hop, { maxLength: 4 }),
});

test("a route is read back as it was asked for", () => {
  fc.assert(
    fc.property(route, (fields) => {
      const read = decodeRoute(encodeRouteRequest(fields, "add"));
      assert.ok(read.ok);
      const { value } = read;
      assert.deepEqual(value.destination, fields.destination.address);
      assert.deepEqual(value.gateway, fields.gateway);
      assert.deepEqual(value.preferredSource, fields.preferredSource);
      assert.deepEqual(
        [value.table, value.protocol, value.type, value.typeOfService, value.priority, value.outputIndex, value.scope],
        [
          fields.table,
          fields.protocol,
          fields.type,
          fields.typeOfService,
          fields.metric,
          fields.linkIndex,
          fields.scope ?? 0,
        ],
      );
      const removal = decodeRoute(encodeRouteRequest(fields, "remove"));
      assert.ok(removal.ok);
      assert.equal(removal.value.scope, fields.scope ?? 255);
    }),
  );
});

test("next hops stand one behind the other, each with its length", () => {
  fc.assert(
    fc.property(route, (fields) => {
      const attributes = decodeAttributes(encodeRouteRequest(fields, "add").subarray(12));
      assert.ok(attributes.ok);
      const hops = attributes.value.get(9) ?? new Uint8Array(0);
      const weights: number[] = [];
      for (let at = 0; at < hops.length; ) {
        const view = viewOf(hops);
        weights.push(view.getUint8(at + 3) + 1);
        const length = view.getUint16(at, HOST_LITTLE_ENDIAN);
        assert.ok(length >= 8 && decodeAttributes(hops.subarray(at + 8, at + length)).ok);
        at += length;
      }
      assert.deepEqual(
        weights,
        fields.nextHops.map(({ weight }) => weight),
      );
    }),
  );
});

const pair = fc.tuple(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 0, max: 65535 }));
const rule: fc.Arbitrary<IpRule> = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  isInverted: fc.boolean(),
  source: maybe(fc.record({ address: maybe(v4), prefixLength: u8 })),
  destination: maybe(fc.record({ address: maybe(v4), prefixLength: u8 })),
  typeOfService: u8,
  inputInterface: maybe(fc.constantFrom("eth0", "a23456789012345")),
  outputInterface: maybe(fc.constantFrom("lo")),
  action: fc.integer({ min: 1, max: 8 }),
  table: u32,
  target: maybe(u32),
  priority: u32,
  mark: maybe(u32),
  markMask: maybe(u32),
  realms: u32,
  suppressPrefixLength: maybe(u32),
  suppressGroup: maybe(u32),
  tunnelId: maybe(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
  users: maybe(fc.tuple(u32, u32)),
  isL3mdev: fc.boolean(),
  protocol: maybe(u8),
  ipProtocol: maybe(u8),
  sourcePorts: maybe(pair),
  destinationPorts: maybe(pair),
});

test("every attribute of a rule stands where the kernel looks for it", () => {
  fc.assert(
    fc.property(rule, (fields) => {
      const body = encodeRule(fields);
      const read = decodeAttributes(body.subarray(12));
      assert.ok(read.ok);
      const view = (type: number) => viewOf(read.value.get(type) ?? new Uint8Array(8));
      assert.equal(view(6).getUint32(0, HOST_LITTLE_ENDIAN), fields.priority);
      assert.equal(read.value.get(10)?.length, fields.mark === undefined ? undefined : 4);
      assert.deepEqual(read.value.get(2), fields.source?.address);
      assert.equal(body[2], fields.source?.prefixLength ?? 0);
      assert.equal(body[7], fields.action);
      if (fields.tunnelId !== undefined) assert.equal(view(12).getBigUint64(0), BigInt(fields.tunnelId));
      if (fields.sourcePorts !== undefined)
        assert.deepEqual(
          [view(23).getUint16(0, HOST_LITTLE_ENDIAN), view(23).getUint16(2, HOST_LITTLE_ENDIAN)],
          fields.sourcePorts,
        );
      if (fields.users !== undefined)
        assert.deepEqual(
          [view(20).getUint32(0, HOST_LITTLE_ENDIAN), view(20).getUint32(4, HOST_LITTLE_ENDIAN)],
          fields.users,
        );
      const isTable = fields.action === 1 && !fields.isL3mdev;
      const table = read.value.get(15) === undefined ? body[4] : view(15).getUint32(0, HOST_LITTLE_ENDIAN);
      assert.equal(table, isTable ? fields.table : 0);
    }),
  );
});
