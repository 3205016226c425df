/** `hash`: a key decides. nginx: ngx_http_upstream_hash_module. */
import { ConsistentHash, Hash } from "../../balance/hash.ts";
import { fromLatin1 } from "../../base/bytes.ts";
import type { Use } from "../../conf/slot.ts";
import { fold } from "../../conf/slots.ts";
import type { Template } from "../../conf/template.ts";
import { httpModule } from "../module.ts";
import { refuseParameters } from "./upstream.ts";

interface HashLine {
  readonly key: Template;
  readonly consistent: boolean;
  readonly order: number;
}

function parseHash(use: Use): HashLine | undefined {
  const [text = "", word] = use.args;
  const key = use.template(text);
  if (key !== undefined && word !== undefined && word !== "consistent") return use.fail(`invalid parameter "${word}"`);
  return key === undefined ? undefined : { key, consistent: word !== undefined, order: use.order };
}

const directives = {
  hash: fold<HashLine, undefined>(undefined, parseHash, {
    in: "upstream",
    args: [1, 2],
    inherit: "none",
    syntax: "key [consistent]",
    doc: "Gives requests with the same key to the same server.",
  }),
};

export const hash = httpModule({
  name: "upstream_hash",
  directives,
  check: (conf, { scope }, report) => refuseParameters(scope, conf.hash?.order, report),
  balancer({ hash: line }, place) {
    if (line === undefined) return undefined;
    const key = place.compile(line.key);
    return {
      order: line.order,
      withoutBackup: true,
      create: (group) => (line.consistent ? new ConsistentHash(group) : new Hash(group)),
      keyOf: (request) => fromLatin1(key(request)),
    };
  },
});
