/** Sends a part of a movie as a movie of its own: `?start=` and `?end=` seconds. nginx: ngx_http_mp4_module. */
import type { Bytes } from "../../base/bytes.ts";
import type { ConfOf } from "../../conf/slot.ts";
import { flag, fold, size } from "../../conf/slots.ts";
import { findArg } from "../../wire/http1/uri.ts";
import { cutMp4, parseSeconds } from "../../wire/mp4/cut.ts";
import type { Mp4Source } from "../../wire/mp4/source.ts";
import { bytesChunk, fileChunk } from "../body.ts";
import { openMedia, sendMedia } from "../media-file.ts";
import { httpModule } from "../module.ts";
import type { OpenFile } from "../open-files.ts";
import type { Request } from "../request.ts";

const directives = {
  mp4: fold<boolean, boolean>(false, () => true, {
    in: "location",
    inherit: "conditions",
    args: 0,
    syntax: "",
    doc: "Sends of mp4 files the part that the arguments `start` and `end` say.",
  }),
  mp4_buffer_size: size("512k", {
    in: "http, server, location",
    doc: "Bytes of a file that are looked at in one go; metadata of this size are always taken.",
  }),
  mp4_max_buffer_size: size("10m", {
    in: "http, server, location",
    doc: "Largest metadata of a file (its `moov` atom).",
  }),
  mp4_start_key_frame: flag(false, {
    in: "http, server, location",
    doc: "Begins at a key frame; players skip what comes ahead of the start.",
  }),
};
type Conf = ConfOf<typeof directives>;

/** The part that is asked for, in milliseconds; undefined: the file as it is. */
function partOf(request: Request): { readonly startMs: bigint; readonly lengthMs: bigint } | undefined {
  if (request.args === "") return undefined;
  const start = parseSeconds(findArg(request.args, "start") ?? "");
  const end = parseSeconds(findArg(request.args, "end") ?? "") ?? 0n;
  if (start === undefined && end === 0n) return undefined;
  const startMs = start ?? 0n;
  return { startMs, lengthMs: end > startMs ? end - startMs : 0n };
}

/** Reads the open file through the worker's scratch memory. */
function sourceOf(request: Request, { path: name, fd, sizeBytes }: OpenFile): Mp4Source {
  const { connection } = request;
  const { scratch, ports } = connection.worker;
  const read = (offset: number, size: number): Bytes | undefined => {
    const bytes = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const got = ports.files.read(fd, scratch.memory, 0, Math.min(scratch.size, size - at), offset + at);
      if (got < 0) {
        connection.logError("crit", `pread() "${name}" failed`, -got);
        return undefined;
      }
      if (got === 0) break;
      bytes.set(scratch.bytes.subarray(0, got), at);
      at += got;
    }
    return at === size ? bytes : bytes.subarray(0, at);
  };
  return { name, sizeBytes, read };
}

function serve(request: Request, conf: Conf): number {
  const file = openMedia(request);
  if (typeof file === "number") return file;
  const { fd, sizeBytes } = file;
  const part = partOf(request);
  if (part !== undefined) {
    request.singleRange = true;
    const cut = cutMp4(sourceOf(request, file), {
      ...part,
      startKeyFrame: conf.mp4_start_key_frame,
      bufferBytes: conf.mp4_buffer_size,
      maxBufferBytes: conf.mp4_max_buffer_size,
    });
    if (cut.kind === "failed") {
      if (cut.reason !== "") request.connection.logError(cut.level, cut.reason);
      return 500;
    }
    if (cut.kind === "part") {
      const { head, start, end } = cut;
      return sendMedia(request, file, head.length + end - start, [bytesChunk(head), fileChunk(fd, start, end)]);
    }
  }
  return sendMedia(request, file, sizeBytes, sizeBytes === 0 ? [] : [fileChunk(fd, 0, sizeBytes)]);
}

export const mp4 = httpModule({
  name: "mp4",
  directives,
  contentHandler: (conf) => (conf.mp4 ? (request) => serve(request, conf) : undefined),
});
