/** The blocks about virtual servers, outside any other: `virtual_server_group`, `virtual_server`, `SSL`. */
import type { ConfigDraft } from "../drafts.ts";
import type { Keywords } from "../interpreter.ts";
import { keyword } from "../slots.ts";
import type { CheckerContext } from "./checkers.ts";
import type { ServerGroupDraft } from "./drafts.ts";
import { groupFamilies, readGroupEntry, sslKeywords } from "./group.ts";
import { beginVirtualServer, endVirtualServer, virtualServerKeywords } from "./virtual-server.ts";

/** Virtual servers of a configuration. */
export const MAX_VIRTUAL_SERVERS = 4096;

/** Their keywords. */
export function serverBlocks(context: CheckerContext): Keywords<ConfigDraft> {
  const table = virtualServerKeywords(context);
  return {
    SSL: keyword(
      { syntax: "{ … }", doc: "What SSL_GET shows of itself, and what it trusts." },
      (draft, line, scope) => {
        if (draft.ssl !== undefined) scope.report("warn", "SSL context already specified - replacing", line.position);
        draft.ssl = { where: new Map() };
        scope.block(sslKeywords, draft.ssl);
      },
      sslKeywords as Keywords<never>,
    ),
    virtual_server_group: keyword(
      {
        syntax: "NAME { ADDRESS[-END|/LENGTH] [PORT] … fwmark N [inet|inet6] … }",
        doc: "Several services that are one.",
      },
      (draft, line, scope) => {
        const name = scope.word(line, 1);
        if (name === undefined) return;
        const group: ServerGroupDraft = { name, at: line.position, where: new Map(), ranges: [], marks: [] };
        if (line.words.length > 2) {
          const missing = "Configuration line starting `***MISSING ***` is missing a parameter at word position 1";
          scope.stop(`*** ${missing}`, line.position);
          return;
        }
        const end = scope.list((item) => readGroupEntry(group, item, scope));
        const remove = (why: string): void =>
          scope.report("warn", `virtual server group ${name} ${why} - removing`, end);
        if (group.ranges.length + group.marks.length === 0) remove("has no entries");
        else if (groupFamilies(group).size === 2 && group.marks.some(({ family }) => family === undefined))
          remove("cannot have IPv4, IPv6 and fwmark without family");
        else draft.serverGroups.push(group);
      },
    ),
    virtual_server: keyword(
      { syntax: "ADDRESS [PORT]|fwmark N|group NAME { … }", doc: "A service that real servers share." },
      (draft, line, scope) => {
        const server = beginVirtualServer(line, scope);
        if (server === undefined) {
          scope.skipBlock();
          return;
        }
        const end = scope.block(table, server);
        endVirtualServer(server, (message) => scope.report("warn", message, end));
        if (draft.virtualServers.length < MAX_VIRTUAL_SERVERS) draft.virtualServers.push(server);
        else scope.report("error", `more than ${MAX_VIRTUAL_SERVERS} virtual servers`, line.position);
      },
      table as Keywords<never>,
    ),
  };
}
