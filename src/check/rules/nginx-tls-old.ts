/** Versions of TLS that are no longer safe. */
import { addressesOf } from "../nginx/lookup.ts";
import { holding, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxTlsOld = siteRule(
  "nginx-tls-old",
  "A server with TLS speaks versions of it that are no longer safe.",
  ({ servers }) =>
    addressesOf(servers)
      .flatMap(({ listens }) => listens.filter(({ isTls }) => isTls))
      .flatMap(({ server }) => {
        const lines = holding(server, "ssl_protocols").filter(({ args }) =>
          args.some(({ text }) => /^(SSLv[23]|TLSv1(\.1)?)$/.test(text)),
        );
        if (lines.length === 0) return [];
        return [
          {
            severity: "warning" as const,
            title: "Old versions of TLS are spoken",
            why: "SSL 2 and 3, TLS 1.0 and 1.1 are broken or withdrawn (RFC 8996); browsers have not needed them since 2020.",
            fix: "ssl_protocols TLSv1.2 TLSv1.3;",
            places: lines.map(placeOf),
          },
        ];
      }),
);
