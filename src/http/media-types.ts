/** `gzip_types` and its kin: media types whose answers a filter changes. nginx: ngx_http_types_slot, ngx_http_test_content_type. */
import type { Slot, Use } from "../conf/slot.ts";
import { fold, type OwnOptions } from "../conf/slots.ts";
import type { Request } from "./request.ts";

/** Lower-case types; "any" for `*`. */
export type MediaTypes = ReadonlySet<string> | "any";

const STANDARD: MediaTypes = new Set(["text/html"]);

function parse(use: Use, current: MediaTypes | undefined): MediaTypes | undefined {
  if (current === "any") return "any";
  const types = new Set(current ?? STANDARD);
  for (const word of use.args) {
    if (word === "*") return "any";
    const type = word.toLowerCase();
    if (types.has(type)) use.warn(`duplicate MIME type "${type}"`);
    types.add(type);
  }
  return types;
}

/** The slot of such a directive: `text/html` always belongs to them; `standard` are those that hold where nothing is said. */
export function mediaTypes(
  options: Pick<OwnOptions<MediaTypes>, "doc"> & { readonly standard?: readonly string[] },
): Slot<MediaTypes> {
  const { doc, standard = ["text/html"] } = options;
  return fold<MediaTypes, MediaTypes>(new Set(standard), parse, {
    doc,
    in: "http, server, location",
    args: [1, Number.POSITIVE_INFINITY],
    syntax: "mime-type ...",
    defaultText: standard.join(" "),
  });
}

/** True when the answer's type is one of them. */
export function hasMediaType({ contentType }: Request, types: MediaTypes): boolean {
  if (types === "any") return true;
  return types.has(contentType) || types.has(contentType.toLowerCase());
}
