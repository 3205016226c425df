/** Answers with a picture of one transparent pixel. nginx: ngx_http_empty_gif_module. */
import { fold } from "../../conf/slots.ts";
import { GET, HEAD } from "../../wire/http1/methods.ts";
import { sendText } from "../engine.ts";
import { httpModule } from "../module.ts";
import type { Request } from "../request.ts";

// biome-ignore format: a line for each block of the format
const GIF = Uint8Array.of(
  0x47, 0x49, 0x46, 0x38, 0x39, 0x61, // GIF89a
  1, 0, 1, 0, 0x80, 1, 0, // one by one pixel, two colours, the second behind everything
  0, 0, 0, 0xff, 0xff, 0xff, // black and white
  0x21, 0xf9, 4, 1, 0, 0, 1, 0, // the second colour is transparent
  0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, // the picture: at the corner, one by one pixel
  2, 2, 0x4c, 1, 0, // LZW: clear, 1, end
  0x3b, // the end
);
/** nginx's answers have been as old as this since 2004: 28 September 1970. */
const LAST_MODIFIED_S = 23_349_600;

const directives = {
  empty_gif: fold<boolean, boolean>(false, () => true, {
    in: "location",
    inherit: "conditions",
    args: 0,
    syntax: "",
    doc: "Answers with a picture of one transparent pixel.",
  }),
};

function serve(request: Request): number {
  if (request.method !== GET && request.method !== HEAD) return 405;
  request.lastModified = LAST_MODIFIED_S;
  return sendText(request, 200, GIF, "image/gif");
}

export const emptyGif = httpModule({
  name: "empty_gif",
  directives,
  // What limit_except takes over from the location around it ends here in nginx.
  contentHandler: (conf, { scope }) => (conf.empty_gif && scope.context !== "limit_except" ? serve : undefined),
});
