/** Whom a chain of trusted proxies names as its client. nginx: ngx_http_get_forwarded_addr. */
import { parseIpv4, parseIpv6 } from "../base/ip.ts";
import type { Endpoint } from "../io/stream.ts";
import { inNetworks, type Network } from "../net/networks.ts";
import { X_FORWARDED_FOR } from "../wire/http1/fields.ts";
import type { Request } from "./request.ts";

/** Reads an address with or without port (`[2001:db8::1]:80`, `192.0.2.1:80`); port 0 without. Undefined when malformed. */
export function parseForwarded(text: string): Endpoint | undefined {
  const bare = parseAddress(text);
  if (bare !== undefined) return { ip: bare, port: 0 };
  const match = /^(?:\[([^\]]*)\](?::(\d{1,9}))?|([^:]*):(\d{1,9}))$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, bracketedPort, plain, plainPort] = match;
  const ip = parseAddress((bracketed ?? plain) as string);
  const portText = bracketedPort ?? plainPort;
  const port = portText === undefined ? 0 : Number(portText);
  if (ip === undefined || port > 65535 || (portText !== undefined && port === 0)) return undefined;
  return { ip, port };
}

function parseAddress(text: string) {
  if (text.includes(":")) return parseIpv6(text);
  return text === "255.255.255.255" ? undefined : parseIpv4(text);
}

/** The walk through the values of a header, from the nearest proxy outwards. */
interface Walk {
  /** The last address that could be believed. */
  endpoint: Endpoint;
  readonly trusted: readonly Network[];
  readonly recursive: boolean;
}

const SEPARATORS = /[ ,]+$/;

/** Goes through one value from its end. True when all of it was believed, so that an earlier line may be asked. */
function walk(value: string, state: Walk): boolean {
  let rest = value;
  do {
    if (!inNetworks(state.endpoint, state.trusted)) return false;
    rest = rest.replace(SEPARATORS, "");
    const separator = Math.max(rest.lastIndexOf(" "), rest.lastIndexOf(","));
    // nginx takes no first character for a separator.
    const start = separator <= 0 ? 0 : separator + 1;
    const next = parseForwarded(rest.slice(start));
    if (next === undefined) return false;
    state.endpoint = next;
    rest = rest.slice(0, Math.max(0, start - 1));
  } while (state.recursive && rest !== "");
  return true;
}

/**
 * The client that `values` (the lines of a header, the first one first) name, when `from` is a trusted proxy: the last address;
 * when recursive, the last one that is no trusted proxy itself. Undefined when nothing there can be believed.
 */
export function forwardedAddress(
  from: Endpoint,
  values: readonly string[],
  trusted: readonly Network[],
  recursive: boolean,
): Endpoint | undefined {
  const state: Walk = { endpoint: from, trusted, recursive };
  for (let i = values.length - 1; i >= 0; i--) if (!walk(values[i] as string, state) || !recursive) break;
  return state.endpoint === from ? undefined : state.endpoint;
}

/** The values of X-Forwarded-For, in order; none when the client has sent no such line. */
export function forwardedFor({ head }: Request): readonly string[] {
  const first = head.known[X_FORWARDED_FOR] as number;
  if (first < 0) return NONE;
  const values: string[] = [];
  for (let index = first; index >= 0; index = head.find("x-forwarded-for", index + 1)) values.push(head.value(index));
  return values;
}
const NONE: readonly string[] = [];
