/** Sends `FILE.zst` instead of a file to who takes zstd. zstd-nginx-module: ngx_http_zstd_static_module. */
import { choice } from "../../conf/slots.ts";
import { httpModule } from "../module.ts";
import { packedFiles, takes } from "../packed-files.ts";
import { gzip } from "./gzip.ts";

const directives = {
  zstd_static: choice("off", ["off", "on", "always"], {
    in: "http, server, location",
    doc: "Sends FILE.zst instead of FILE: to clients that take zstd, or to all.",
  }),
};

export const zstdStatic = httpModule({
  name: "zstd_static",
  directives,
  phases: {
    content: (conf, place) => {
      if (conf.zstd_static === "off") return undefined;
      return packedFiles({
        coding: "zstd",
        suffix: ".zst",
        isTaken: conf.zstd_static === "on" ? (request) => takes(request, "zstd") : undefined,
        vary: place.scope.conf(gzip).gzip_vary,
        alwaysVaries: false,
        hasRanges: false,
      });
    },
  },
});
