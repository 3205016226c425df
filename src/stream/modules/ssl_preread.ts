/** `ssl_preread`: looks at a ClientHello without ending TLS. nginx: ngx_stream_ssl_preread_module. */
import { flag } from "../../conf/slots.ts";
import { type ClientHello, decodeClientHello } from "../../wire/tls/client-hello.ts";
import { streamModule } from "../module.ts";
import { AGAIN, DECLINED, OK } from "../outcome.ts";
import type { Session } from "../session.ts";
import type { Getter, Variable } from "../variables.ts";

const directives = {
  ssl_preread: flag(false, {
    in: "stream, stream server",
    doc: "Looks at what a TLS client says first, for variables, and passes it on as it is.",
  }),
};

/** Of a client that has not said enough yet. */
const NOTHING_SAID: ClientHello = { major: 0, minor: 0, serverName: "", alpn: "" };

/** Names of versions as OpenSSL has them. */
const VERSIONS: Readonly<Record<string, string>> = {
  "0.2": "SSLv2",
  "3.0": "SSLv3",
  "3.1": "TLSv1",
  "3.2": "TLSv1.1",
  "3.3": "TLSv1.2",
  "3.4": "TLSv1.3",
};

function said(pick: (hello: ClientHello) => string): Getter {
  return ({ clientHello }) => clientHello && pick(clientHello);
}

const variables: readonly Variable[] = [
  {
    name: "ssl_preread_protocol",
    doc: "The highest version of TLS that the client's hello names.",
    get: said(({ major, minor }) => VERSIONS[`${major}.${minor}`] ?? ""),
  },
  {
    name: "ssl_preread_server_name",
    doc: "The server that the client's hello names (SNI).",
    get: said(({ serverName }) => serverName),
  },
  {
    name: "ssl_preread_alpn_protocols",
    doc: "The protocols that the client's hello names (ALPN), with commas between them.",
    get: said(({ alpn }) => alpn),
  },
];

function look(session: Session): number {
  const result = decodeClientHello(session.visiblePreread);
  if (result.kind === "foreign") {
    session.clientHello = undefined;
    return DECLINED;
  }
  if (result.kind === "incomplete") {
    session.clientHello = NOTHING_SAID;
    return AGAIN;
  }
  session.clientHello = result.hello;
  session.chooseServer(result.hello.serverName);
  return OK;
}

export const sslPreread = streamModule({
  name: "stream_ssl_preread",
  directives,
  variables,
  phases: { preread: ({ ssl_preread: isOn }) => (isOn ? look : undefined) },
});
