/** Passes requests to SCGI servers. nginx: ngx_http_scgi_module. */
import type { ConfOf } from "../../conf/slot.ts";
import { raw } from "../../conf/slots.ts";
import { SCGI_OVERHEAD_BYTES, scgiPair, writeScgiEnd, writeScgiStart } from "../../wire/scgi.ts";
import { cacheDirectives } from "../cache-directives.ts";
import { cgiParam } from "../cgi-params.ts";
import { cgiProtocol } from "../cgi-protocol.ts";
import { checkGateway, GATEWAY_NEXT_WORDS, gatewayHandler, type RequestForm } from "../gateway.ts";
import { type GatewayPass, parseGatewayPass } from "../gateway-target.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import type { Request } from "../request.ts";
import { answerDirectives, prefixed, unprefixed } from "../upstream-directives.ts";
import { type FamilyConf, mergeFamily } from "../upstream-settings.ts";

const directives = {
  scgi_pass: raw<GatewayPass, undefined>(undefined, (use) => parseGatewayPass(use, use.args[0] as string), {
    in: "location, if in location",
    inherit: "conditions",
    syntax: "address",
    doc: "The SCGI server that requests are passed to.",
  }),
  scgi_param: cgiParam("A parameter of the request that the server gets."),
  ...prefixed("scgi", {
    ...answerDirectives("scgi", GATEWAY_NEXT_WORDS),
    ...cacheDirectives("scgi", GATEWAY_NEXT_WORDS),
  }),
};

type ScgiConf = ConfOf<typeof directives>;

/** Bytes of the body that follows: what was read, or what is passed on as it comes and was announced. */
function bodyBytes(request: Request): number {
  if (request.exchange?.upload !== undefined) return Math.max(0, request.contentLength);
  return request.body?.length ?? 0;
}

function requestForm(): RequestForm {
  // Kept from `prepare` for the `write` that follows at once.
  let size = 0;
  return {
    prepare(params, request): number {
      size = params.collect(request, scgiPair);
      return size + SCGI_OVERHEAD_BYTES;
    },
    write(params, request, output): void {
      const { bytes } = output;
      const begun = writeScgiStart(bytes, output.used, bodyBytes(request), size);
      output.used = writeScgiEnd(bytes, params.write(bytes, begun, scgiPair));
    },
  };
}

function build(conf: ScgiConf, place: Place): Handler | undefined {
  const pass = conf.scgi_pass;
  if (pass === undefined) return undefined;
  const gateway = {
    scheme: "scgi://",
    pass,
    params: conf.scgi_param,
    form: requestForm(),
    protocol: cgiProtocol,
    hidden: ["Status"],
    streamsChunked: false,
  };
  return gatewayHandler(unprefixed<FamilyConf>("scgi", conf), gateway, place);
}

export const scgi = httpModule({
  name: "scgi",
  contexts: "http, server, location",
  directives,
  autoRedirect: true,
  merge: (merged, _outer, situation) => mergeFamily("scgi", merged, situation),
  check: (conf, situation, report) => checkGateway("scgi", scgi, conf, situation, report),
  contentHandler: build,
});
