/** What FastCGI, SCGI and uwsgi have in common: requests made of parameters, directives, rules, checks. */
import type { ConfOf, Directives, Report, Situation } from "../conf/slot.ts";
import type { NextWord } from "./cache-directives.ts";
import { type CgiParam, CgiParams } from "./cgi-params.ts";
import { type GatewayPass, gatewayTarget } from "./gateway-target.ts";
import type { Handler } from "./location.ts";
import type { Place } from "./module.ts";
import type { Output } from "./output.ts";
import type { Request } from "./request.ts";
import { Exchange } from "./upstream.ts";
import { checkAddress } from "./upstream-destination.ts";
import { unprefixed } from "./upstream-directives.ts";
import type { UpstreamProtocol } from "./upstream-protocol.ts";
import type { UpstreamRules } from "./upstream-rules.ts";
import { checkFamily, type FamilyConf, familyRules } from "./upstream-settings.ts";

/** Words of `…_next_upstream`. */
export const GATEWAY_NEXT_WORDS = [
  "error",
  "timeout",
  "invalid_header",
  "non_idempotent",
  "http_500",
  "http_503",
  "http_403",
  "http_404",
  "http_429",
  "updating",
  "off",
] as const satisfies readonly NextWord[];

/** How a request is written in front of its body. */
export interface RequestForm {
  /** Bytes that it needs at most, -1 when it is too long, which has been logged. */
  prepare(params: CgiParams, request: Request): number;
  write(params: CgiParams, request: Request, output: Output): void;
}

export interface Gateway {
  readonly scheme: string;
  readonly pass: GatewayPass;
  readonly params: readonly CgiParam[];
  readonly form: RequestForm;
  readonly protocol: UpstreamProtocol;
  /** Lines that clients don't see, beside those that no family shows. */
  readonly hidden: readonly string[];
  /** A body whose length nobody knows can be passed on as it comes. */
  readonly streamsChunked: boolean;
  /** The address in a text that a request has made. */
  readonly addressOf?: (text: string) => string;
}

function rulesOf(family: FamilyConf, gateway: Gateway, place: Place): UpstreamRules {
  const { form, params } = gateway;
  const answers = familyRules(family, { hidden: gateway.hidden, convertHead: false }, place);
  const passHeaders = family.pass_request_headers;
  const plain = new CgiParams(params, { cached: false, passHeaders }, place);
  const cached = answers.cache === undefined ? plain : new CgiParams(params, { cached: true, passHeaders }, place);
  const paramsOf = ({ exchange }: Request): CgiParams =>
    exchange?.cache?.freshness.cacheable === true ? cached : plain;
  return {
    ...answers,
    protocol: gateway.protocol,
    target: gatewayTarget(gateway.pass, { scheme: gateway.scheme, level: "error" }, place, gateway.addressOf),
    uriOf: () => "",
    prepare: (request) => form.prepare(paramsOf(request), request),
    write: (request, output) => form.write(paramsOf(request), request, output),
    sendsBody: family.pass_request_body,
    streamsBody: (request) =>
      !family.request_buffering && family.pass_request_body && (gateway.streamsChunked || !request.chunkedBody),
    isHead: () => false,
    passTrailers: false,
    rewriteRedirect: undefined,
    rewriteCookie: undefined,
  };
}

/** The content handler of a location. */
export function gatewayHandler(family: FamilyConf, gateway: Gateway, place: Place): Handler {
  const rules = rulesOf(family, gateway, place);
  return (request) => {
    request.exchange ??= new Exchange(request);
    return request.exchange.run(rules);
  };
}

/** Looks at what is set right here. */
export function checkGateway<D extends Directives>(
  prefix: string,
  module: { readonly directives: D },
  merged: ConfOf<D>,
  situation: Situation<D>,
  report: Report,
): void {
  const { scope, own, environment } = situation;
  const pass = own[`${prefix}_pass`] as GatewayPass | undefined;
  const position = (name: string) => scope.origin(module, `${prefix}_${name}`)?.positions[0];
  if (pass?.kind === "fixed")
    checkAddress(scope, pass.address, environment.lookUp, { report, position: position("pass"), needsPort: true });
  const { cache, cache_key } = unprefixed<FamilyConf>(prefix, merged);
  if ((own[`${prefix}_cache`] ?? "off") !== "off" && cache !== "off" && cache_key === undefined)
    report("warn", `no "${prefix}_cache_key" for "${prefix}_cache"`, position("cache"));
  checkFamily(prefix, module, merged, situation, report);
}
