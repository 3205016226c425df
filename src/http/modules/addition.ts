/** Puts the answers of other locations in front of and behind a body. nginx: ngx_http_addition_filter_module. */
import { text } from "../../conf/slots.ts";
import { type BodyFilter, type Chunk, LAST, type Mark, ORDER_ADDITION } from "../body.ts";
import type { HeaderFilter } from "../location.ts";
import { hasMediaType, type MediaTypes, mediaTypes } from "../media-types.ts";
import { httpModule } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";
import { subrequest } from "../subrequest.ts";

const EVERYWHERE = "http, server, location";
const NOTHING: readonly Chunk[] = [];

const directives = {
  add_before_body: text(undefined, { in: EVERYWHERE, doc: "Puts the answer to this URI in front of the body." }),
  add_after_body: text(undefined, { in: EVERYWHERE, doc: "Puts the answer to this URI behind the body." }),
  addition_types: mediaTypes({ doc: "Media types of answers that get additions; `*` for any." }),
};

class Additions implements BodyFilter {
  readonly order = ORDER_ADDITION;
  readonly takesPieces = false;
  /** The body has passed, the addition behind it has not begun. */
  hasMore = false;
  private before: string;
  private after: string;

  constructor(before: string, after: string) {
    this.before = before;
    this.after = after;
  }

  filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    if (this.hasMore) {
      this.hasMore = false;
      add(request, this.after);
      this.after = "";
      return NOTHING;
    }
    const { before } = this;
    this.before = "";
    if (before !== "") add(request, before);
    this.hasMore = mark === LAST && this.after !== "";
    return chunks;
  }
}

/** A subrequest that can't be begun ends the answer where it is, and the connection with it. */
function add(request: Request, uri: string): void {
  if (subrequest(request, uri, {}) === undefined) request.connection.terminate(0);
}

function build(before: string, after: string, types: MediaTypes): HeaderFilter | undefined {
  if (before === "" && after === "") return undefined;
  return (request) => {
    if (request.status !== 200 || !hasMediaType(request, types)) return OK;
    request.changeEntity();
    request.addBodyFilter(new Additions(before, after));
    return OK;
  };
}

export const addition = httpModule({
  name: "addition",
  directives,
  headerFilter: (conf) => build(conf.add_before_body ?? "", conf.add_after_body ?? "", conf.addition_types),
});
