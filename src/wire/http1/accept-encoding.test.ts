import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptsGzip } from "./accept-encoding.ts";

const YES = [
  "gzip",
  "gzip,deflate",
  "gzip, anything; q=0",
  "GZip",
  "deflate, gzip",
  "deflate,gzip",
  "gzip  ,br",
  "gzip;",
  "gzip; ",
  "gzip;q=1",
  "gzip;q=1.",
  "gzip;q=1.000",
  "gzip; Q=0.5",
  "gzip ; q=0.001, br",
  "gzip;q=0.999 ",
  "gzip;q=1,x",
  "x-gzip, gzip",
];
const NO = [
  "",
  "gz",
  "*",
  "deflate",
  "x-gzip",
  "gzipped",
  "gzip-x",
  "gzip;q=0",
  "gzip;q=0.",
  "gzip;q=0.000",
  "gzip;q=1.1",
  "gzip;q=1.001",
  "gzip;q=0.1234",
  "gzip;q=2",
  "gzip;q=.5",
  "gzip;q=",
  "gzip;q =1",
  "gzip;level=9",
  "gzip;q=0.5x",
  "gzip;q=0, gzip;q=1",
  "gzip/1",
];

test("gzip is taken when it is named, unless it weighs nothing", () => {
  for (const list of YES) assert.equal(acceptsGzip(list), true, list);
});

test("gzip is not taken when it is not named as such, weighs nothing or is malformed", () => {
  for (const list of NO) assert.equal(acceptsGzip(list), false, list);
});
