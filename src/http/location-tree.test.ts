import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerNames } from "../net/server-names.ts";
import type { Location, VirtualServer } from "./location.ts";
import {
  FOUND,
  FOUND_NONE,
  FOUND_REDIRECT,
  LocationTree,
  type RegexLocation,
  type StaticLocation,
} from "./location-tree.ts";
import type { Request } from "./request.ts";

function location(name: string, more: Partial<Location> = {}): Location {
  return { name, noRegex: false, inner: undefined, ...more } as Location;
}

function prefix(name: string, more: Partial<Location> = {}): StaticLocation {
  return { location: location(name, more), exact: false, autoRedirect: false };
}

function regex(source: RegExp, more: Partial<Location> = {}): RegexLocation {
  return { matches: (_, text) => source.test(text), location: location(`~ ${source.source}`, more) };
}

function find(tree: LocationTree, uri: string): [number, string | undefined] {
  const request = { uri, location: undefined } as unknown as Request;
  const result = tree.find(request);
  return [result, request.location?.name];
}

test("exact before expressions before the longest prefix, unless that one forbids them", () => {
  const tree = new LocationTree(
    [
      prefix("/"),
      prefix("/images/"),
      prefix("/static/", { noRegex: true }),
      { location: location("/exact"), exact: true, autoRedirect: false },
    ],
    [regex(/\.php$/), regex(/^\/images\/.*\.gif$/)],
  );
  assert.deepEqual(find(tree, "/exact"), [FOUND, "/exact"]);
  assert.deepEqual(find(tree, "/exactly"), [FOUND_NONE, "/"]);
  assert.deepEqual(find(tree, "/images/a.png"), [FOUND_NONE, "/images/"]);
  assert.deepEqual(find(tree, "/images/a.gif"), [FOUND, "~ ^\\/images\\/.*\\.gif$"]);
  assert.deepEqual(find(tree, "/a.php"), [FOUND, "~ \\.php$"]);
  assert.deepEqual(find(tree, "/static/a.php"), [FOUND_NONE, "/static/"]);
});

test("locations inside a location are searched, and its expressions come first", () => {
  const inner = new LocationTree([prefix("/a/b/")], [regex(/\.php$/)]);
  const tree = new LocationTree([prefix("/"), prefix("/a/", { inner })], [regex(/b/)]);
  assert.equal(find(tree, "/a/x.php")[1], "~ \\.php$");
  assert.equal(find(tree, "/a/b/x")[1], "~ b");
  assert.equal(find(tree, "/a/c/x")[1], "/a/");
});

test("a URI without the final slash of a redirecting location is sent there", () => {
  const tree = new LocationTree([{ location: location("/app/"), exact: false, autoRedirect: true }], []);
  assert.deepEqual(find(tree, "/app"), [FOUND_REDIRECT, "/app/"]);
  assert.equal(find(tree, "/app/x")[1], "/app/");
  assert.deepEqual(find(tree, "/other"), [FOUND_NONE, undefined]);
});

test("names are found exact, then by wildcards, then by expressions", () => {
  const names = new ServerNames<Request, VirtualServer>();
  const server = (name: string): VirtualServer => ({ name }) as VirtualServer;
  const plain = (name: string): boolean => names.add({ name, server: server(name), matches: undefined });
  for (const name of ["example.org", "*.example.org", "*.a.example.org", "www.example.*", ".dot.org", ""]) {
    assert.ok(plain(name), name);
  }
  names.add({ name: "~^n\\d+$", server: server("~"), matches: (_, text) => /^n\d+$/.test(text) });
  const found = (host: string): string | undefined => names.find({} as Request, host)?.name;
  assert.equal(found("example.org"), "example.org");
  assert.equal(found("x.example.org"), "*.example.org");
  assert.equal(found("x.y.example.org"), "*.example.org");
  assert.equal(found("x.a.example.org"), "*.a.example.org");
  assert.equal(found("www.example.com"), "www.example.*");
  assert.equal(found("www.example.co.uk"), "www.example.*");
  assert.equal(found("dot.org"), ".dot.org");
  assert.equal(found("x.dot.org"), ".dot.org");
  assert.equal(found("n12"), "~");
  assert.equal(found(""), "");
  assert.equal(found("other.test"), undefined);
  assert.equal(found("www.example."), undefined);
  assert.ok(!plain("example.org"), "a second server of the same name is told");
});
