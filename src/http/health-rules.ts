/** A `health_check` line as the probes of a location follow it: what is asked, of whom, and what is read of the location's `proxy_*`. */

import type { UpstreamAddress } from "../net/upstream-address.ts";
import { connectSettingsOf } from "../net/upstream-socket.ts";
import { encodeHealthRequest, HEALTH_CHECK_PATH } from "../wire/grpc/health.ts";
import type { ResponseHead } from "../wire/http1/response-head.ts";
import { isConnectionField } from "../wire/http2/field-rules.ts";
import type { HealthCheck } from "./health-checks.ts";
import { type GrpcQuestion, GrpcTalk } from "./health-grpc.ts";
import { type HttpQuestion, HttpTalk } from "./health-http.ts";
import { type MatchTests, USUAL_TESTS } from "./health-match.ts";
import type { ProbeRules } from "./health-probe.ts";
import type { Location, VirtualServer } from "./location.ts";
import type { Place } from "./module.ts";
import { proxy } from "./modules/proxy.ts";
import { type HealthCheckLine, testsOf } from "./modules/upstream_hc.ts";
import type { Output } from "./output.ts";
import { ProxyRequest } from "./proxy-request.ts";
import { destinationOf } from "./proxy-target.ts";
import type { Request } from "./request.ts";
import { standInRequest } from "./stand-in.ts";
import { Exchange } from "./upstream.ts";
import { localAddressOf } from "./upstream-bind.ts";
import type { Target } from "./upstream-rules.ts";

/** An exchange that a probe has had: what `$upstream_*` tell while it is judged. */
class ProbedExchange extends Exchange {
  probed: ResponseHead | undefined = undefined;

  override get answeredHead(): ResponseHead | undefined {
    return this.probed;
  }
}

/** Fields of a gRPC request that no `proxy_set_header` has a say in. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["host", "content-type", "content-length", "te", "expect"]);

/** Where a line stands, with what has been built of it. */
export interface HealthPlace {
  readonly place: Place;
  readonly server: VirtualServer;
  readonly location: Location;
}

/** The check that a line asks for. Its location passes requests to an upstream: that has been checked. */
export function healthCheckOf(line: HealthCheckLine, { place, server, location }: HealthPlace): HealthCheck {
  const { match, uri } = line;
  const pass = place.scope.own(proxy).proxy_pass;
  const { address } = pass as { readonly address: UpstreamAddress };
  const { worker } = place;
  const target: Target = { ...destinationOf(address), upstream: worker.upstreams.fixed(address, []) };
  const request = standInRequest(worker, uri, server, location);
  const exchange = new ProbedExchange(request);
  exchange.destination = target;
  request.exchange = exchange;
  const rules = probeRules(line, place, target, request, exchange);
  return { settings: line, rules, matchName: match ?? "", log: location.log };
}

function probeRules(
  line: HealthCheckLine,
  place: Place,
  target: Target,
  request: Request,
  exchange: ProbedExchange,
): ProbeRules {
  const conf = place.scope.conf(proxy);
  const local = localAddressOf(conf.proxy_bind, place);
  return {
    upstream: target.upstream,
    talk: talkOf(line, place, target, request, exchange),
    port: line.port,
    keepAliveMs: line.keepAliveMs,
    connectTimeoutMs: conf.proxy_connect_timeout,
    sendTimeoutMs: conf.proxy_send_timeout,
    readTimeoutMs: conf.proxy_read_timeout,
    local: () => local?.(request),
    connectSettings: connectSettingsOf(conf.proxy_bind, {
      keepAlive: conf.proxy_socket_keepalive,
      receiveBuffer: conf.proxy_socket_rcvbuf,
      sendBuffer: conf.proxy_socket_sndbuf,
    }),
  };
}

function talkOf(
  line: HealthCheckLine,
  place: Place,
  target: Target,
  request: Request,
  exchange: ProbedExchange,
): ProbeRules["talk"] {
  if (line.type === "tcp") return undefined;
  if (line.type === "grpc") {
    const question = grpcQuestion(line, place, target, request);
    return () => new GrpcTalk(question);
  }
  const question = httpQuestion(line, place, target, request, exchange);
  return () => new HttpTalk(question);
}

function grpcQuestion(line: HealthCheckLine, place: Place, target: Target, request: Request): GrpcQuestion {
  const { proxy_set_header: set, proxy_buffer_size } = place.scope.conf(proxy);
  const lines = set.map(({ name, value }) => ({ name: name.toLowerCase(), value: place.compile(value) }));
  const host = lines.findLast(({ name }) => name === "host");
  const others = lines.filter(({ name }) => !OWN_FIELDS.has(name) && !isConnectionField(name, ""));
  return {
    message: encodeHealthRequest(line.grpc.service),
    status: line.grpc.status,
    headBytes: proxy_buffer_size,
    fields: () => {
      request.values.length = 0;
      return [
        [":method", "POST"],
        [":scheme", "http"],
        [":path", HEALTH_CHECK_PATH],
        [":authority", host?.value(request) || target.hostHeader],
        ["content-type", "application/grpc"],
        ["te", "trailers"],
        ...others.map(({ name, value }) => [name, value(request)] as const).filter(([, value]) => value !== ""),
      ];
    },
  };
}

function httpQuestion(
  line: HealthCheckLine,
  place: Place,
  target: Target,
  request: Request,
  exchange: ProbedExchange,
): HttpQuestion {
  const conf = place.scope.conf(proxy);
  const proxied = new ProxyRequest(
    {
      headers: conf.proxy_set_header,
      method: undefined,
      body: undefined,
      http11: conf.proxy_http_version === "1.1",
      passHeaders: false,
      passBody: false,
      convertsHead: false,
    },
    place,
  );
  const tests: MatchTests = (line.match === undefined ? undefined : testsOf(place.scope, line.match)) ?? USUAL_TESTS;
  const getters = new Map(tests.requires.map((name) => [name, place.getter(name)]));
  return {
    tests,
    headBytes: conf.proxy_buffer_size,
    compose: (): Output => {
      request.values.length = 0;
      const output = place.worker.scratchFor(proxied.prepare(request, line.uri, target));
      output.used = 0;
      proxied.write(request, output);
      return output;
    },
    valueOf: (name, head) => {
      if (exchange.probed !== head) {
        // What the configuration has computed of the last answer (map) says nothing of this one.
        request.values.length = 0;
        exchange.probed = head;
        exchange.tries.clear();
        exchange.tries.add().status = head.status;
      }
      return getters.get(name)?.(request);
    },
  };
}
