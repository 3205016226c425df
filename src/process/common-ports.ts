/** What every service with clients is given of the world, made of what a worker lends. */
import os from "node:os";
import type { Service } from "../io/service.ts";
import type { ServiceWorld } from "../net/service-world.ts";
import { openCompression } from "../os/compression.ts";
import { randomSource } from "./random-source.ts";
import type { ServicePorts } from "./service-kind.ts";

/** What a configuration makes of a service that it doesn't have. */
export const idleService: Service = {
  start: () => {},
  quiesce: (onIdle) => onIdle(),
  terminate: () => {},
  reopenLogs: () => {},
};

export function commonPorts({ workerConnections, ...lent }: ServicePorts): ServiceWorld {
  return {
    ...lent,
    compression: openCompression(),
    random: randomSource(),
    timezoneOffset: (epochS: number) => -new Date(epochS * 1000).getTimezoneOffset(),
    processId: process.pid,
    hostName: os.hostname().toLowerCase(),
    maxConnections: workerConnections,
  };
}
