/** Begins a flash video in the middle: `?start=` bytes. nginx: ngx_http_flv_module. */
import { fold } from "../../conf/slots.ts";
import { bytesOf, findArg } from "../../wire/http1/uri.ts";
import { bytesChunk, fileChunk } from "../body.ts";
import { openMedia, sendMedia } from "../media-file.ts";
import { httpModule } from "../module.ts";
import type { Request } from "../request.ts";

/** What a flash video begins with: version 1, with sound and pictures, and the size of nothing in front of the first tag. */
const FLV_HEAD = bytesOf("FLV\x01\x05\0\0\0\x09\0\0\0\0");

const directives = {
  flv: fold<boolean, boolean>(false, () => true, {
    in: "location",
    inherit: "conditions",
    args: 0,
    syntax: "",
    doc: "Sends flash videos from the byte on that the argument `start` says.",
  }),
};

/** Where to begin; 0 for what is no offset in the file. */
function startOf(request: Request, sizeBytes: number): number {
  const text = findArg(request.args, "start") ?? "";
  const start = /^\d+$/.test(text) ? Number(text) : 0;
  return start < sizeBytes ? start : 0;
}

function serve(request: Request): number {
  const file = openMedia(request);
  if (typeof file === "number") return file;
  const { fd, sizeBytes } = file;
  const start = startOf(request, sizeBytes);
  const rest = fileChunk(fd, start, sizeBytes);
  if (start === 0) return sendMedia(request, file, sizeBytes, sizeBytes === 0 ? [] : [rest]);
  return sendMedia(request, file, FLV_HEAD.length + sizeBytes - start, [bytesChunk(FLV_HEAD), rest]);
}

export const flv = httpModule({
  name: "flv",
  directives,
  contentHandler: (conf) => (conf.flv ? serve : undefined),
});
