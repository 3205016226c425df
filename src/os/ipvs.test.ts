/** What IPVS is asked for, request by request; a kernel that has it is not needed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceDestination, ServiceSettings } from "../io/virtual-services.ts";
import { decodeAttributes, nestedIn } from "../wire/netlink/attributes.ts";
import { EEXIST, EINVAL, ENOENT } from "./errno.ts";
import { IpvsServices } from "./ipvs.ts";

const COMMANDS: Readonly<Record<number, string>> = {
  1: "add",
  2: "set",
  3: "remove",
  5: "add dest",
  6: "set dest",
  7: "remove dest",
  12: "times",
  17: "flush",
};

/** Writes requests down: `add 10.0.0.1:80`, `add dest 10.0.0.1:80 10.0.0.2:80*3`. */
function recorder(errnoOf: (request: string) => number = () => 0): { said: string[]; services: IpvsServices } {
  const said: string[] = [];
  const change = (body: Uint8Array) => {
    const attributes = decodeAttributes(body.subarray(4));
    assert.ok(attributes.ok);
    const part = (type: number) => {
      const nested = nestedIn(attributes.value, type);
      return nested.ok ? nested.value : new Map<number, Uint8Array>();
    };
    const end = (address: Uint8Array | undefined, port: Uint8Array | undefined): string =>
      address === undefined
        ? ""
        : ` ${[...address.subarray(0, 4)].join(".")}:${((port?.[0] ?? 0) << 8) | (port?.[1] ?? 0)}`;
    const [service, dest] = [part(1), part(2)];
    const mark = service.get(5);
    const key = mark === undefined ? end(service.get(3), service.get(4)) : ` mark ${mark[0]}`;
    const weight = dest.get(4)?.[0];
    const request = `${COMMANDS[body[0] as number]}${key}${end(dest.get(1), dest.get(2))}${weight === undefined ? "" : `*${weight}`}`;
    said.push(request);
    return { errno: errnoOf(request), reason: undefined };
  };
  return { said, services: new IpvsServices({ change, close: () => {} }) };
}

const service: ServiceSettings = {
  name: "s",
  ranges: [{ ip: Uint8Array.of(10, 0, 0, 1), end: Uint8Array.of(10, 0, 0, 1), port: 80 }],
  marks: [],
  protocol: "tcp",
  scheduler: "wlc",
  flags: { onePacket: false, first: false, second: false, third: false },
  persistence: undefined,
};

function destination(last: number, more: Partial<ServiceDestination> = {}): ServiceDestination {
  return {
    ip: Uint8Array.of(10, 0, 0, last),
    port: 8080,
    method: "NAT",
    tunnel: { type: "ipip", port: 0, checksum: "nocsum" },
    weight: 1,
    upperThreshold: 0,
    lowerThreshold: 0,
    ...more,
  };
}

test("only differences are asked for", () => {
  const { said, services } = recorder();
  assert.equal(services.set(service, [destination(2), destination(3)]), undefined);
  services.set(service, [destination(2)]);
  services.set(service, [destination(2, { weight: 5 })]);
  services.set({ ...service, scheduler: "rr" }, [destination(2, { weight: 5 })]);
  services.remove("s");
  services.remove("s");
  assert.deepEqual(said, [
    "add 10.0.0.1:80",
    "add dest 10.0.0.1:80 10.0.0.2:8080*1",
    "add dest 10.0.0.1:80 10.0.0.3:8080*1",
    "remove dest 10.0.0.1:80 10.0.0.3:8080",
    "set dest 10.0.0.1:80 10.0.0.2:8080*5",
    "set 10.0.0.1:80",
    "remove 10.0.0.1:80",
  ]);
});

test("a group is a service for each address and mark, and only NAT changes ports", () => {
  const { said, services } = recorder();
  const group: ServiceSettings = {
    ...service,
    ranges: [{ ip: Uint8Array.of(10, 0, 0, 255), end: Uint8Array.of(10, 0, 1, 0), port: 80 }],
    marks: [{ mark: 7, family: 4 }],
  };
  services.set(group, [destination(2, { method: "DR" })]);
  services.close();
  assert.deepEqual(said, [
    "add 10.0.0.255:80",
    "add dest 10.0.0.255:80 10.0.0.2:80*1",
    "add 10.0.1.0:80",
    "add dest 10.0.1.0:80 10.0.0.2:80*1",
    "add mark 7",
    "add dest mark 7 10.0.0.2:0*1",
    "remove 10.0.0.255:80",
    "remove 10.0.1.0:80",
    "remove mark 7",
  ]);
});

test("what a killed predecessor has left goes first", () => {
  let isLeft = true;
  const { said, services } = recorder((request) => {
    if (request.startsWith("remove")) isLeft = false;
    return request.startsWith("add 10") && isLeft ? EEXIST : 0;
  });
  assert.equal(services.set(service, [destination(2)]), undefined);
  assert.deepEqual(said.slice(0, 3), ["add 10.0.0.1:80", "remove 10.0.0.1:80", "add 10.0.0.1:80"]);
});

test("a refusal is told with what was asked for; what is so already is none", () => {
  const { services } = recorder((request) => (request.startsWith("add dest") ? EINVAL : 0));
  assert.match(
    services.set(service, [destination(2)])?.message ?? "",
    /^IPVS 10\.0\.0\.1:6:80 -> 10\.0\.0\.2:8080: EINVAL/,
  );
  const gone = recorder((request) => (request.startsWith("remove dest") ? ENOENT : 0));
  gone.services.set(service, [destination(2)]);
  assert.equal(gone.services.set(service, []), undefined);
});
