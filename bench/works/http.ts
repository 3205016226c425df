/** What a server answers by itself. */
import { nginxConfiguration, type Place, type Work } from "./work.ts";

const nginx = (place: Place): string =>
  nginxConfiguration(
    place,
    `server {
    listen 127.0.0.1:${place.port} backlog=4096;
    root html;
    location = /ok { return 200 "hello from the other side\\n"; }
  }`,
  );

export const HTTP_WORKS: readonly Work[] = [
  { name: "return 200", load: { kind: "wrk", uri: "/ok", connections: 64 }, goal: 1.0, nginx },
  { name: "1 KB file", load: { kind: "wrk", uri: "/1k.html", connections: 64 }, goal: 1.0, nginx },
  { name: "1 MB file", load: { kind: "wrk", uri: "/1m.html", connections: 64 }, goal: 1.0, nginx },
  {
    name: "new connection per request",
    load: { kind: "wrk", uri: "/ok", connections: 64, isClosing: true },
    goal: 1.1,
    nginx,
  },
];
