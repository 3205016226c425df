/** `lvs_method`: how packets reach a real server. keepalived: svr_forwarding_handler. */
import type { Interpreter, Line } from "../interpreter.ts";
import { readInteger } from "../numbers.ts";
import type { ForwardingMethod, Tunnel } from "./config.ts";

/** No tunnel in particular. */
export const PLAIN_TUNNEL: Tunnel = Object.freeze({ type: "ipip", port: 0, checksum: "nocsum" });

/** NAT, when nobody says anything. */
export const DEFAULT_FORWARDING: ForwardingMethod = Object.freeze({ method: "NAT", tunnel: PLAIN_TUNNEL });

/** Reads the words of an `lvs_method`; `before` is what holds so far. A tunnel that can't be keeps the method it named. */
export function readForwarding(
  line: Line,
  scope: Interpreter,
  kind: "virtual" | "real" | "sorry",
  before: ForwardingMethod | undefined,
): ForwardingMethod | undefined {
  const method = scope.word(line, 1);
  if (method === undefined) return before;
  if (method !== "NAT" && method !== "DR" && method !== "TUN") {
    scope.report("warn", `PARSER : unknown [${method}] routing method for ${kind} server.`, line.position);
    return before;
  }
  const tunnel = readTunnel(line, scope, kind);
  if (typeof tunnel !== "string") return Object.freeze({ method, tunnel });
  scope.report("warn", tunnel, line.position);
  return Object.freeze({ method, tunnel: before?.tunnel ?? PLAIN_TUNNEL });
}

/** The options behind the method, or what is wrong with them. */
function readTunnel(line: Line, scope: Interpreter, kind: string): Tunnel | string {
  let type: Tunnel["type"] = "ipip";
  let port = 0;
  let checksum: Tunnel["checksum"] = "nocsum";
  for (let index = 2; index < line.words.length; index++) {
    const word = line.words[index] as string;
    const value = line.words[index + 1];
    if (word === "type") {
      if (value === undefined) return `Missing tunnel type for ${kind} server.`;
      if (value !== "ipip" && value !== "gue" && value !== "gre")
        return `Unknown tunnel type ${value} for ${kind} server.`;
      type = value;
      index++;
    } else if (word === "port") {
      if (value === undefined) return `Missing port for ${kind} server gue tunnel.`;
      const read = readInteger(value, 1, 65535);
      if (!read.ok) {
        scope.report("warn", read.reason, line.position);
        return `Invalid gue tunnel port ${value} for ${kind} server.`;
      }
      port = read.value;
      index++;
    } else if (word === "nocsum" || word === "csum" || word === "remcsum") checksum = word;
    else return `Invalid tunnel option ${word} for ${kind} server.`;
  }
  if ((type === "gue") !== (port !== 0)) return "gue tunnels require port, otherwise cannot have port.";
  if (type === "ipip" && checksum !== "nocsum") return "ipip tunnels do not support checksum option.";
  if (type === "gre" && checksum === "remcsum") return "gre tunnels do not support remote checksum option.";
  return Object.freeze({ type, port, checksum });
}
