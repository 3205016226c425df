/**
 * A request that no client has made: what variables are asked of while a health check is written and judged. Most are empty.
 * nginx Plus makes one for each check.
 */
import { fromLatin1 } from "../base/bytes.ts";
import type { Endpoint, Stream, StreamOwner } from "../io/stream.ts";
import type { HeadLimits } from "../wire/http1/head-results.ts";
import { GET } from "../wire/http1/methods.ts";
import { Connection } from "./connection.ts";
import type { Location, VirtualServer } from "./location.ts";
import { Request } from "./request.ts";
import type { Worker } from "./worker.ts";

const NOWHERE: Endpoint = { path: "" };
const LIMITS: HeadLimits = {
  bufferSize: 65536,
  largeBuffers: 1,
  largeBufferSize: 65536,
  maxHeaders: 1,
  underscores: false,
  ignoreInvalid: true,
  onIgnored: undefined,
  choose: undefined,
};

/** A stream without other end: it takes nothing and tells nothing. */
class NoStream implements Stream {
  owner!: StreamOwner;
  readonly local = NOWHERE;
  readonly remote = NOWHERE;
  readonly isEnding = false;
  tcpInfo(): undefined {
    return undefined;
  }
  keep(): undefined {
    return undefined;
  }
  write(): number {
    return 0;
  }
  writeAll(): number {
    return 0;
  }
  sendFile(): number {
    return 0;
  }
  pauseReading(): void {}
  resumeReading(): void {}
  shutdownWrite(): void {}
  setNoDelay(): void {}
  setCork(): void {}
  setResetOnClose(): void {}
  close(): void {}
}

/** `GET uri` at a location, from nobody. */
export function standInRequest(worker: Worker, uri: string, server: VirtualServer, location: Location): Request {
  const point = { name: "", defaultServer: server, names: undefined, limits: LIMITS, proxyProtocol: false };
  const connection = new Connection(worker, new NoStream(), point);
  // It is none of the worker's connections: nobody has made it, and it has no time limit.
  worker.timers.discard(connection);
  worker.disown(connection);
  const request = new Request();
  request.reset(connection);
  request.server = server;
  request.location = location;
  request.uri = uri;
  const bytes = fromLatin1(`GET ${uri} HTTP/1.0\r\n\r\n`);
  request.head.begin(bytes, 0);
  request.head.parse(bytes.length, LIMITS);
  request.method = GET;
  request.version = request.head.version;
  return request;
}
