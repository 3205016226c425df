/** Configurations that make little sense: blocks and directives that rules look at, at random. */
import fc from "fast-check";

const URIS = ["/", "/a", "/a/", "/a/b", "/a.php", "a", "/a%20b", "//", "@named"];
const PATTERNS = [
  "^/a",
  "\\.php$",
  ".*",
  "^/(.*)$",
  "^a",
  "(a+)+$",
  "^/([^/]+)/(?<rest>.*)",
  "^/(?!b)",
  "a|b",
  "^https://a.b",
];
const TEXTS = [
  "$uri",
  "$1",
  "$rest",
  "$x",
  "$arg_a",
  "$host",
  "http://$host$request_uri",
  "https://a.example$uri",
  "http://app/b",
  "http://127.0.0.1:1/",
  "http://$x",
  "http://unix:/a:/b",
  "/a/$1",
  "=404",
  "403",
  "",
];
const uri = fc.constantFrom(...URIS);
const pattern = fc.constantFrom(...PATTERNS);
const text = fc.constantFrom(...TEXTS);
const quoted = text.map((value) => `"${value}"`);

const simple = fc.oneof(
  fc.constantFrom(
    "internal;",
    "deny all;",
    "allow 10.0.0.0/8;",
    "autoindex on;",
    "stub_status;",
    "auth_basic x;",
    "satisfy any;",
    "recursive_error_pages on;",
    "add_header_inherit merge;",
    "merge_slashes off;",
    "set_real_ip_from ::/0;",
    "client_max_body_size 0;",
    "types { a/b c; }",
    "break;",
  ),
  fc
    .tuple(fc.constantFrom("root", "alias", "proxy_pass", "server_name", "listen"), quoted)
    .map((words) => `${words.join(" ")};`),
  fc
    .tuple(
      fc.constantFrom(
        "set $x",
        "add_header A",
        "proxy_set_header Host",
        "return 301",
        "try_files /a",
        "error_page 404 502",
      ),
      quoted,
    )
    .map((words) => `${words.join(" ")};`),
  fc
    .tuple(pattern, quoted, fc.constantFrom("", "last", "break", "permanent"))
    .map(([a, b, c]) => `rewrite "${a}" ${b} ${c};`),
  pattern.map((value) => `server_name "~${value}";`),
);

const { block } = fc.letrec<{ block: string; body: string }>((tie) => ({
  body: fc
    .array(fc.oneof({ weight: 4, arbitrary: simple }, { weight: 1, arbitrary: tie("block") }), { maxLength: 5 })
    .map((lines) => lines.map((line) => `${line}\n`).join("")),
  block: fc
    .tuple(
      fc.oneof(
        { depthSize: "small" },
        fc.tuple(fc.constantFrom("", "=", "^~"), uri).map((words) => `location ${words.join(" ")}`),
        fc.tuple(fc.constantFrom("~", "~*"), pattern).map(([how, what]) => `location ${how} "${what}"`),
        fc
          .tuple(text, pattern)
          .map(([subject, what]) => `if (${subject.startsWith("$") ? subject : "$uri"} ~ "${what}")`),
        fc.constantFrom("if ($host = A)", "if (!-e $request_filename)", "limit_except GET"),
      ),
      tie("body"),
    )
    .map(([head, body]) => `${head} {\n${body}}`),
}));

const map = fc
  .array(fc.tuple(pattern, quoted), { maxLength: 3 })
  .map((lines) => `map $uri $y {\n${lines.map(([key, value]) => `"~${key}" ${value};\n`).join("")}}`);

/** What stands in an `http` block. */
export const absurd: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.array(fc.oneof(simple, block), { maxLength: 8 }).map((lines) => `server {\n${lines.join("\n")}\n}`),
      map,
      fc.constantFrom(
        "upstream app { server a.example; }",
        "limit_req_zone $arg_a zone=a:32k rate=1r/s;",
        "add_header B b;",
      ),
    ),
    { maxLength: 5 },
  )
  .map((blocks) => blocks.map((one) => `${one}\n`).join(""));
