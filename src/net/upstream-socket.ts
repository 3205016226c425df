/** `proxy_bind` and the options of sockets that lead to upstreams. nginx: ngx_http_upstream_bind_set_slot, ngx_http_upstream_set_local. */
import type { Use } from "../conf/slot.ts";
import { constantOf, type Template } from "../conf/template.ts";
import type { ConnectSettings } from "../io/reactor.ts";
import type { Endpoint } from "../io/stream.ts";
import { parseLocalAddress } from "./upstream-address.ts";
import type { Text } from "./variables.ts";

/** The address that connections come from: a text that makes it for each subject, undefined for `off`. */
export interface Bind {
  readonly address: Template | undefined;
  /** It need not be one of this machine. */
  readonly transparent: boolean;
}

export function parseBind(use: Use): Bind | undefined {
  const [text = "", word] = use.args;
  if (text === "off" && word === undefined) return { address: undefined, transparent: false };
  const address = use.template(text);
  if (address === undefined) return undefined;
  const constant = constantOf(address);
  if (constant !== undefined && parseLocalAddress(constant) === undefined) return use.fail(`invalid address "${text}"`);
  if (word !== undefined && word !== "transparent") return use.fail(`invalid parameter "${word}"`);
  return { address, transparent: word !== undefined };
}

/** Where a `proxy_bind` is compiled. */
export interface BindPlace<S> {
  compile(template: Template): Text<S>;
  /** The worker connects from addresses that are not of this machine. */
  bindForeign(): void;
  complain(subject: S, message: string): void;
}

/** The address that a subject's connections come from; undefined when the system chooses. */
export function localAddressOf<S>(
  bind: Bind | undefined,
  place: BindPlace<S>,
): ((subject: S) => Endpoint | undefined) | undefined {
  if (bind?.address === undefined) return undefined;
  if (bind.transparent) place.bindForeign();
  const text = place.compile(bind.address);
  return (subject) => {
    const value = text(subject);
    const local = parseLocalAddress(value);
    if (local === undefined && value !== "") place.complain(subject, `invalid local address "${value}"`);
    return local;
  };
}

/** The options of a place's sockets; undefined when it asks for none. */
export function connectSettingsOf(
  bind: Bind | undefined,
  options: Pick<ConnectSettings, "keepAlive" | "receiveBuffer" | "sendBuffer">,
): ConnectSettings | undefined {
  const transparent = bind?.transparent ?? false;
  if (!transparent && !options.keepAlive && options.receiveBuffer === 0 && options.sendBuffer === 0) return undefined;
  return { ...options, transparent };
}
