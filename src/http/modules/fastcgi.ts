/** Passes requests to FastCGI servers. nginx: ngx_http_fastcgi_module. */

import { type Pattern, translatePattern } from "../../conf/pcre.ts";
import type { ConfOf, Use } from "../../conf/slot.ts";
import { flag, list, raw, text } from "../../conf/slots.ts";
import { fastcgiPair } from "../../wire/fastcgi/pair.ts";
import {
  BEGIN_BYTES,
  HEADER_BYTES,
  MAX_CONTENT_BYTES,
  PARAMS,
  paddingOf,
  writeBegin,
  writeRecordHeader,
} from "../../wire/fastcgi/record.ts";
import { cacheDirectives } from "../cache-directives.ts";
import { type CgiParams, cgiParam } from "../cgi-params.ts";
import { fastcgiProtocol } from "../fastcgi-protocol.ts";
import { checkGateway, GATEWAY_NEXT_WORDS, gatewayHandler, type RequestForm } from "../gateway.ts";
import { type GatewayPass, parseGatewayPass } from "../gateway-target.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import type { Request } from "../request.ts";
import { sendLowat } from "../send-lowat.ts";
import { answerDirectives, prefixed, unprefixed } from "../upstream-directives.ts";
import { type FamilyConf, mergeFamily } from "../upstream-settings.ts";
import type { Variable } from "../variables.ts";

const SPLIT_CAPTURES = 2;

function parseSplit(use: Use): Pattern | undefined {
  const source = use.args[0] as string;
  const translated = translatePattern(source, false);
  if (!translated.ok) return use.fail(`pcre2_compile() failed: ${translated.reason} in "${source}"`);
  const { value } = translated;
  return value.names.length === SPLIT_CAPTURES ? value : use.fail(`pattern "${source}" must have 2 captures`);
}

const directives = {
  fastcgi_pass: raw<GatewayPass, undefined>(undefined, (use) => parseGatewayPass(use, use.args[0] as string), {
    in: "location, if in location",
    inherit: "conditions",
    syntax: "address",
    doc: "The FastCGI server that requests are passed to.",
  }),
  fastcgi_index: text("", { doc: "A file that is added to `$fastcgi_script_name` where that ends with a slash." }),
  fastcgi_split_path_info: raw<Pattern, undefined>(undefined, parseSplit, {
    syntax: "regex",
    doc: "Takes `$fastcgi_script_name` and `$fastcgi_path_info` out of the URI: the two captures.",
  }),
  fastcgi_param: cgiParam("A parameter of the request that the server gets."),
  fastcgi_catch_stderr: list((use) => use.args[0] as string, {
    syntax: "string",
    doc: "A text in the error stream that makes the answer an invalid one.",
  }),
  fastcgi_keep_conn: flag(false, { doc: "Asks the server to leave the connection open, so that it can be kept." }),
  fastcgi_send_lowat: sendLowat(),
  ...prefixed("fastcgi", {
    ...answerDirectives("fastcgi", GATEWAY_NEXT_WORDS),
    ...cacheDirectives("fastcgi", GATEWAY_NEXT_WORDS),
  }),
};

type FastcgiConf = ConfOf<typeof directives>;

/** A request: its begin, and all parameters in one record. */
function requestForm(keepsConnection: boolean): RequestForm {
  // Kept from `prepare` for the `write` that follows at once.
  let size = 0;
  return {
    prepare(params: CgiParams, request: Request): number {
      size = params.collect(request, fastcgiPair);
      if (size > MAX_CONTENT_BYTES) {
        request.connection.logErrorOf(request, "alert", `fastcgi request record is too big: ${size}`);
        return -1;
      }
      return BEGIN_BYTES + HEADER_BYTES + size + paddingOf(size) + HEADER_BYTES;
    },
    write(params, _request, output): void {
      const { bytes } = output;
      const padding = paddingOf(size);
      const begun = writeBegin(bytes, output.used, keepsConnection);
      const end = params.write(bytes, writeRecordHeader(bytes, begun, PARAMS, size, padding), fastcgiPair);
      bytes.fill(0, end, end + padding);
      output.used = writeRecordHeader(bytes, end + padding, PARAMS, 0, 0);
    },
  };
}

function build(conf: FastcgiConf, place: Place): Handler | undefined {
  const { fastcgi_pass: pass, fastcgi_keep_conn: keepsConnection } = conf;
  if (pass === undefined) return undefined;
  const gateway = {
    scheme: "fastcgi://",
    pass,
    params: conf.fastcgi_param,
    form: requestForm(keepsConnection),
    protocol: fastcgiProtocol({ keepsConnection, catches: conf.fastcgi_catch_stderr }),
    hidden: ["Status"],
    streamsChunked: true,
  };
  return gatewayHandler(unprefixed<FamilyConf>("fastcgi", conf), gateway, place);
}

/** How a location finds the script in a URI. */
interface Split {
  readonly pattern: RegExp | undefined;
  readonly index: string;
}

/** The script's name and what follows it. nginx: ngx_http_fastcgi_split. */
function split({ uri, location }: Request): { readonly script: string; readonly rest: string; readonly index: string } {
  const { pattern, index } = location.prepared.get(fastcgi) as Split;
  const match = pattern?.exec(uri);
  if (match === undefined || match === null) return { script: uri, rest: "", index };
  return { script: match[1] ?? "", rest: match[2] ?? "", index };
}

function scriptName(request: Request): string {
  const { script, index } = split(request);
  return script.endsWith("/") ? script + index : script;
}

const variables: readonly Variable[] = [
  {
    name: "fastcgi_script_name",
    doc: "The URI, or what `fastcgi_split_path_info` takes for the script's name; with `fastcgi_index` behind a slash.",
    get: scriptName,
  },
  {
    name: "fastcgi_path_info",
    doc: "What `fastcgi_split_path_info` finds behind the script's name.",
    get: (request) => split(request).rest,
  },
];

export const fastcgi = httpModule({
  name: "fastcgi",
  contexts: "http, server, location",
  directives,
  variables,
  autoRedirect: true,
  merge: (merged, _outer, situation) => mergeFamily("fastcgi", merged, situation),
  check: (conf, situation, report) => checkGateway("fastcgi", fastcgi, conf, situation, report),
  prepare: (conf): Split => ({ pattern: conf.fastcgi_split_path_info?.regexp, index: conf.fastcgi_index }),
  contentHandler: build,
});
