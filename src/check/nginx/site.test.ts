import assert from "node:assert/strict";
import { test } from "node:test";
import { readerOf } from "../../conf/keepalived/example.ts";
import { load } from "../../conf/nginx/load.ts";
import { parseTemplate } from "../../conf/template.ts";
import { anyHost, bindNginx } from "../bind-nginx.ts";
import { addressesOf, findLocation } from "./lookup.ts";
import { labelOf, named, type Site, siteOf } from "./site.ts";
import { isAddress, pathOf, splitUrl } from "./urls.ts";
import { valuesOf } from "./values.ts";

function site(...lines: string[]): Site {
  const text = `events { }\nhttp {\n${lines.join("\n")}\n}\n`;
  const source = load("/srv/nginx.conf", readerOf({ "/srv/nginx.conf": text, "/srv/a.conf": "root /srv/a;" }));
  const { main } = bindNginx(source, anyHost);
  assert.ok(main !== undefined);
  return siteOf(source, main);
}

const template = (text: string) => {
  const parsed = parseTemplate(text);
  assert.ok(parsed.ok);
  return parsed.value;
};

test("included directives stand where their include stood, and a missing file is known to be missing", () => {
  const whole = site("server { include a.conf; }");
  assert.deepEqual([whole.isComplete, named(whole.servers[0]!, "root").length], [true, 1]);
  assert.equal(site("server { include b.conf; }").isComplete, false);
});

test("a path comes to the location that nginx finds", () => {
  const lines = [
    "location / { }",
    "location = /a { }",
    "location /a/ { location ~ \\.x$ { } location /a/b/ { } }",
    "location ^~ /s/ { }",
    "location ~ \\.php$ { }",
    "location ~* ^/P { }",
    "location @n { }",
  ];
  const [server] = site("server {", ...lines, "}").servers;
  const found = (path: string): string => labelOf(findLocation(server!, path));
  assert.deepEqual(
    ["/", "/a", "/a/1", "/a/1.x", "/a/b/1.x", "/a/1.php", "/s/1.php", "/q.php", "/p.php", "/page"].map(found),
    [
      "location /",
      "location = /a",
      "location /a/",
      "location ~ \\.x$",
      "location ~ \\.x$",
      "location ~ \\.php$",
      "location ^~ /s/",
      "location ~ \\.php$",
      "location ~ \\.php$",
      "location ~* ^/P",
    ],
  );
  const [bare] = site("server { server_name a; location /x { } }").servers;
  assert.equal(labelOf(findLocation(bare!, "/y")), "server a");
});

test("addresses that are written differently are one", () => {
  const { servers } = site(
    "server { listen 80; listen [::]:81 ssl; }",
    "server { listen *:80 default_server; }",
    "server { listen 0.0.0.0; listen unix:/a; }",
    "server { }",
  );
  assert.deepEqual(
    addressesOf(servers).map(({ address, listens }) => [address, listens.length, listens.map((one) => one.isDefault)]),
    [
      ["*:80", 4, [false, true, false, false]],
      ["[::]:81", 1, [false]],
      ["unix:/a", 1, [false]],
    ],
  );
});

test("a URL is cut behind its host", () => {
  const cut = (url: string) => {
    const { host, path } = splitUrl(template(url));
    const print = (parts: typeof path) => parts.map((part) => (typeof part === "string" ? part : "$")).join("");
    return [host === undefined ? undefined : print(host), print(path)];
  };
  assert.deepEqual(cut("http://a:80/b$c"), ["a:80", "/b$"]);
  assert.deepEqual(cut("$scheme://$host$request_uri"), ["$", "$"]);
  assert.deepEqual(cut("http://$1.a/$uri"), ["$.a", "/$"]);
  assert.deepEqual(cut("http://a"), ["a", ""]);
  assert.deepEqual(cut("http://unix:/run/a:/b$c"), ["unix:/run/a", "/b$"]);
  assert.deepEqual(cut("$backend/x"), [undefined, ""]);
  assert.deepEqual([pathOf("http://a/b"), pathOf("http://a"), pathOf("http://unix:/a:/b")], ["/b", undefined, "/b"]);
  assert.deepEqual(["127.0.0.1:1", "[::1]", "a.example", "unix:/a"].map(isAddress), [true, true, false, true]);
});

test("what a variable can be, and where it comes from", () => {
  const one = site(
    "map $arg_a $pool { default x; b $second; }",
    "map $host $second { default y; }",
    "map $arg_a $open { default $arg_a; }",
    'server { set $name "$pool:80"; location ~ ^/(?<word>[a-z]+)/(?<rest>[^/]*) { } }',
  );
  const values = valuesOf(one);
  const [server] = one.servers;
  assert.deepEqual(values.textsOf(template("http://$name")), ["http://x:80", "http://y:80"]);
  assert.equal(values.textsOf(template("$open")), undefined);
  const bring = (text: string) => [
    values.bringing("client", template(text), server!),
    values.bringing("newline", template(text), server!),
  ];
  assert.deepEqual(bring("$name"), [undefined, undefined]);
  assert.deepEqual(bring("a$open"), ["$open", undefined]);
  assert.deepEqual(bring("$word"), ["$word", undefined]);
  assert.deepEqual(bring("$rest"), ["$rest", "$rest"]);
  assert.deepEqual(bring("$request_id"), [undefined, undefined]);
});

test("variables that define each other come to an end", () => {
  const one = site("map $b $a { default $b; }", "map $a $b { default $a; }");
  assert.equal(valuesOf(one).textsOf(template("$a")), undefined);
  assert.equal(valuesOf(one).bringing("client", template("$a"), one.http!), undefined);
});
