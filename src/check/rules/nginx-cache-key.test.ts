import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-cache-key", ...lines);

test("keys with arguments are fine, and such as have nothing to do with the path", () => {
  for (const key of ["$uri$is_args$args", "$host$request_uri", "$uri$arg_page", "$arg_id", "$http_x_key"])
    assert.deepEqual(check(`proxy_cache_key ${key};`), []);
});

test("the path alone is not", () => {
  assert.deepEqual(check("proxy_cache_key $host$uri;"), ["proxy_cache_key $host$uri;"]);
  assert.deepEqual(check("location / {", "proxy_cache_key $document_uri;", "}"), ["proxy_cache_key $document_uri;"]);
});
