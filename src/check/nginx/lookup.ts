/** Which location a path leads to, as nginx finds it. */
import { coreServer } from "../../http/modules/core.ts";
import type { Place } from "../finding.ts";
import { headerOfLevel, type Level, named, placeOf } from "./site.ts";

/** The locations right in a level. */
export function locationsOf(level: Level): readonly Level[] {
  return level.inner.filter(({ context }) => context === "location");
}

/** The location that serves a path; the server itself when none does. */
export function findLocation(server: Level, path: string): Level {
  return search(server, path)?.level ?? server;
}

interface Hit {
  readonly level: Level;
  /** Nothing else is asked. */
  readonly isFinal: boolean;
}

function search(outer: Level, path: string): Hit | undefined {
  const locations = locationsOf(outer);
  const header = (level: Level) => headerOfLevel(level);
  const exact = locations.find((level) => header(level)?.kind === "exact" && header(level)?.name === path);
  if (exact !== undefined) return { level: exact, isFinal: true };
  let longest: Level | undefined;
  for (const level of locations) {
    const words = header(level);
    if ((words?.kind !== "prefix" && words?.kind !== "noRegex") || !path.startsWith(words.name)) continue;
    if (longest === undefined || words.name.length > (header(longest)?.name.length ?? 0)) longest = level;
  }
  const inner = longest === undefined ? undefined : search(longest, path);
  if (inner?.isFinal === true) return inner;
  const prefix = inner?.level ?? longest;
  if (longest !== undefined && header(longest)?.kind === "noRegex") return { level: prefix as Level, isFinal: false };
  for (const level of locations) {
    if (header(level)?.pattern?.regexp.test(path) !== true) continue;
    return { level: search(level, path)?.level ?? level, isFinal: true };
  }
  return prefix === undefined ? undefined : { level: prefix, isFinal: false };
}

/** An address that servers share, and the servers on it. */
export interface SharedAddress {
  readonly address: string;
  readonly listens: readonly {
    readonly server: Level;
    readonly isDefault: boolean;
    readonly isTls: boolean;
    readonly place: Place;
  }[];
}

/** The `listen` of all servers, by address. A server without any listens on port 80. */
export function addressesOf(servers: readonly Level[]): readonly SharedAddress[] {
  const addresses = new Map<string, SharedAddress["listens"][number][]>();
  for (const server of servers) {
    const listens = named(server, "listen").map((directive) => ({
      address: addressOf(directive.args[0]?.text ?? ""),
      isDefault: directive.args.slice(1).some(({ text }) => text === "default_server" || text === "default"),
      isTls: directive.args.slice(1).some(({ text }) => text === "ssl" || text === "quic"),
      place: placeOf(directive),
    }));
    const place: Place = server.opener === undefined ? { file: "", line: 1 } : placeOf(server.opener);
    const all = listens.length > 0 ? listens : [{ address: "*:80", isDefault: false, isTls: false, place }];
    for (const { address, ...rest } of all) {
      const known = addresses.get(address) ?? [];
      if (!known.some((one) => one.server === server)) known.push({ server, ...rest });
      addresses.set(address, known);
    }
  }
  return [...addresses].map(([address, listens]) => ({ address, listens }));
}

/** The same text for the same address: `80`, `*:80` and `0.0.0.0:80` are one. */
function addressOf(text: string): string {
  if (text.startsWith("unix:")) return text;
  if (/^\d+$/.test(text)) return `*:${text}`;
  const withPort = /^(.*):(\d+)$/.exec(text);
  const [host, port] =
    withPort !== null && !/^\[[^\]]*$/.test(withPort[1] as string)
      ? [withPort[1] as string, withPort[2]]
      : [text, "80"];
  return `${host === "0.0.0.0" ? "*" : host.toLowerCase()}:${port}`;
}

/** The names of a server; "" for one without. */
export function serverNamesOf(server: Level): readonly string[] {
  const names = (server.scope.own(coreServer).server_name ?? []).map(({ name }) => name);
  return names.length === 0 ? [""] : names;
}
