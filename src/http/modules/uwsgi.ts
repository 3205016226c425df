/** Passes requests to uwsgi servers. nginx: ngx_http_uwsgi_module. */
import type { ConfOf, Use } from "../../conf/slot.ts";
import { num, raw, text } from "../../conf/slots.ts";
import { MAX_UWSGI_BYTES, UWSGI_HEADER_BYTES, uwsgiPair, writeUwsgiHeader } from "../../wire/uwsgi.ts";
import { cacheDirectives } from "../cache-directives.ts";
import { cgiParam } from "../cgi-params.ts";
import { cgiProtocol } from "../cgi-protocol.ts";
import { checkGateway, GATEWAY_NEXT_WORDS, gatewayHandler, type RequestForm } from "../gateway.ts";
import { type GatewayPass, parseGatewayPass } from "../gateway-target.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { answerDirectives, prefixed, unprefixed } from "../upstream-directives.ts";
import { type FamilyConf, mergeFamily } from "../upstream-settings.ts";

const SCHEME = "uwsgi://";
const MAX_MODIFIER = 255;

/** The scheme may be written in front of an address. */
function withoutScheme(text: string): string {
  return text.toLowerCase().startsWith(SCHEME) ? text.slice(SCHEME.length) : text;
}

function parsePass(use: Use): GatewayPass | undefined {
  const address = use.args[0] as string;
  if (address.toLowerCase().startsWith("suwsgi://")) return use.fail("suwsgi protocol requires SSL support");
  return parseGatewayPass(use, withoutScheme(address));
}

const directives = {
  uwsgi_pass: raw<GatewayPass, undefined>(undefined, parsePass, {
    in: "location, if in location",
    inherit: "conditions",
    syntax: "address",
    doc: "The uwsgi server that requests are passed to.",
  }),
  uwsgi_modifier1: num(0, {
    max: MAX_MODIFIER,
    doc: "The first modifier of packets: which plugin of the server is meant.",
  }),
  uwsgi_modifier2: num(0, { max: MAX_MODIFIER, doc: "The second modifier of packets." }),
  uwsgi_string: text("", { doc: "Bytes behind the parameters of a packet." }),
  uwsgi_param: cgiParam("A parameter of the request that the server gets."),
  ...prefixed("uwsgi", {
    ...answerDirectives("uwsgi", GATEWAY_NEXT_WORDS),
    ...cacheDirectives("uwsgi", GATEWAY_NEXT_WORDS),
  }),
};

type UwsgiConf = ConfOf<typeof directives>;

/** What the header and the end of a packet say. */
interface Packet {
  readonly modifier1: number;
  readonly modifier2: number;
  /** Behind the parameters. */
  readonly string: string;
}

function requestForm({ modifier1, modifier2, string }: Packet): RequestForm {
  // Kept from `prepare` for the `write` that follows at once.
  let size = 0;
  return {
    prepare(params, request): number {
      size = params.collect(request, uwsgiPair) + string.length;
      if (size > MAX_UWSGI_BYTES) {
        request.connection.logErrorOf(request, "alert", `uwsgi request is too big: ${size}`);
        return -1;
      }
      return UWSGI_HEADER_BYTES + size;
    },
    write(params, _request, output): void {
      const { bytes } = output;
      const begun = writeUwsgiHeader(bytes, output.used, modifier1, modifier2, size);
      output.used = params.write(bytes, begun, uwsgiPair);
      output.text(string);
    },
  };
}

function build(conf: UwsgiConf, place: Place): Handler | undefined {
  const pass = conf.uwsgi_pass;
  if (pass === undefined) return undefined;
  const gateway = {
    scheme: SCHEME,
    pass,
    params: conf.uwsgi_param,
    form: requestForm({
      modifier1: conf.uwsgi_modifier1,
      modifier2: conf.uwsgi_modifier2,
      string: conf.uwsgi_string,
    }),
    protocol: cgiProtocol,
    hidden: [],
    streamsChunked: false,
    addressOf: withoutScheme,
  };
  return gatewayHandler(unprefixed<FamilyConf>("uwsgi", conf), gateway, place);
}

export const uwsgi = httpModule({
  name: "uwsgi",
  contexts: "http, server, location",
  directives,
  autoRedirect: true,
  merge: (merged, _outer, situation) => mergeFamily("uwsgi", merged, situation),
  check: (conf, situation, report) => checkGateway("uwsgi", uwsgi, conf, situation, report),
  contentHandler: build,
});
