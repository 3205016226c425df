/** Where a file that was written before nginx 1.29.7 changed the defaults of proxying is now served otherwise. */
import type { Found, Rule } from "../finding.ts";
import type { ProxyView, UpstreamView } from "../nginx-proxies.ts";
import { nodesOf, type Subject } from "../subject.ts";

export const nginxProxyDefaults: Rule<Subject> = {
  id: "nginx-proxy-defaults",
  doc: "A proxy_pass relies on defaults that nginx changed in 1.29.7.",
  check: (subject) => {
    const found = new Map<string, readonly Found[]>();
    for (const { nginx } of nodesOf(subject))
      if (nginx !== undefined) found.set(nginx.file, changes(nginx.proxies, nginx.upstreams));
    return [...found.values()].flat();
  },
};

function changes(proxies: readonly ProxyView[], upstreams: readonly UpstreamView[]): readonly Found[] {
  const unversioned = proxies.filter(({ version }) => version === undefined);
  const kept = upstreams.filter((upstream) => !upstream.hasKeepalive && proxies.some((one) => isKept(one, upstream)));
  const byName = new Map(upstreams.map((upstream) => [upstream.name.toLowerCase(), upstream]));
  const untold = proxies.filter(
    ({ version, connection, target }) =>
      version === "1.1" &&
      connection === undefined &&
      target !== undefined &&
      byName.get(target)?.hasKeepalive !== false,
  );
  return [...versionChanges(unversioned), ...keepaliveChanges(kept), ...connectionChanges(untold)];
}

/** Whether connections that this location opens to the upstream outlive the request. */
function isKept({ target, version, connection }: ProxyView, { name }: UpstreamView): boolean {
  return target === name.toLowerCase() && version !== "1.0" && connection?.toLowerCase() !== "close";
}

function versionChanges(proxies: readonly ProxyView[]): readonly Found[] {
  if (proxies.length === 0) return [];
  return [
    {
      severity: "warning",
      title: "Back ends are spoken to in HTTP/1.1, where nginx before 1.29.7 used HTTP/1.0",
      why: 'Nothing sets proxy_http_version here, and its default has changed. The request says "HTTP/1.1" without "Connection: close", and a body of unknown length is sent and answered in chunks. A back end that only knows HTTP/1.0 misreads that.',
      fix: "proxy_http_version 1.1; in the http block, if that is meant; for the old behaviour proxy_http_version 1.0; and proxy_set_header Connection close;",
      places: proxies.map(({ place }) => place),
    },
  ];
}

function keepaliveChanges(upstreams: readonly UpstreamView[]): readonly Found[] {
  if (upstreams.length === 0) return [];
  return [
    {
      severity: "warning",
      title: "Each worker keeps up to 32 idle connections to this upstream, where nginx before 1.29.7 kept none",
      why: "The block has no keepalive, and its default has changed. A back end with few threads or processes may have all of them held by idle connections, and one that closes idle connections within 60 s may close one just when a request is sent on it: a POST is then answered with 502.",
      fix: "keepalive 32; in the upstream, if that is meant, with a keepalive_timeout below the back end's own; keepalive 0; for the old behaviour",
      places: upstreams.map(({ place }) => place),
    },
  ];
}

function connectionChanges(proxies: readonly ProxyView[]): readonly Found[] {
  if (proxies.length === 0) return [];
  return [
    {
      severity: "info",
      title: 'Back ends are no longer told "Connection: close"',
      why: "Before 1.29.7 nginx sent it unless proxy_set_header Connection said otherwise. To an upstream with keepalive, connections are now really kept; to an address, the proxy closes first instead of the back end, so closed connections wait (TIME_WAIT) on this machine.",
      fix: 'proxy_set_header Connection ""; says that it is meant, proxy_set_header Connection close; brings the old behaviour back',
      places: proxies.map(({ place }) => place),
    },
  ];
}
