/**
 * What an answer to a health check must be like. Without a `match` block its status must be 2xx or 3xx.
 * nginx Plus: `match`, ngx_http_upstream_hc_module.
 */
import type { ResponseHead } from "../wire/http1/response-head.ts";

/** Bytes of a body that are looked at. */
export const EXAMINED_BODY_BYTES = 256 * 1024;

/** `status 200 204;`, `status ! 400-599;` */
export interface StatusTest {
  readonly negated: boolean;
  /** First and last of each range. */
  readonly ranges: readonly (readonly [from: number, to: number])[];
}

/** `header NAME …;` Names are compared without case. A test of the value wants the line to be there. */
export type HeaderTest =
  | { readonly name: string; readonly kind: "there"; readonly negated: boolean }
  | { readonly name: string; readonly kind: "equal"; readonly negated: boolean; readonly value: string }
  | { readonly name: string; readonly kind: "matches"; readonly negated: boolean; readonly pattern: RegExp };

/** `body ~ "pattern";` */
export interface BodyTest {
  readonly negated: boolean;
  readonly pattern: RegExp;
}

/** One `match` block: all must hold. */
export interface MatchTests {
  readonly statuses: readonly StatusTest[];
  readonly headers: readonly HeaderTest[];
  readonly bodies: readonly BodyTest[];
  /** Variables that may be neither empty nor 0. */
  readonly requires: readonly string[];
}

/** What holds without a block. */
export const USUAL_TESTS: MatchTests = {
  statuses: [{ negated: false, ranges: [[200, 399]] }],
  headers: [],
  bodies: [],
  requires: [],
};

/** What was looked at when a test failed, as log lines call it. */
export type Failing = "status code" | "header" | "body" | "variable";

/** The first test that the answer fails; undefined when it passes all. `variable` reads one. */
export function failingTest(
  tests: MatchTests,
  head: ResponseHead,
  body: string,
  variable: (name: string) => string | undefined,
): Failing | undefined {
  if (!tests.statuses.every((test) => statusHolds(test, head.status))) return "status code";
  if (!tests.headers.every((test) => headerHolds(test, head))) return "header";
  if (!tests.bodies.every(({ pattern, negated }) => pattern.test(body) !== negated)) return "body";
  const isSet = (value: string | undefined): boolean => value !== undefined && value !== "" && value !== "0";
  return tests.requires.every((name) => isSet(variable(name))) ? undefined : "variable";
}

function statusHolds({ negated, ranges }: StatusTest, status: number): boolean {
  return ranges.some(([from, to]) => status >= from && status <= to) !== negated;
}

function headerHolds(test: HeaderTest, head: ResponseHead): boolean {
  const values = valuesOf(head, test.name);
  if (test.kind === "there") return values.length > 0 !== test.negated;
  const fits = (value: string): boolean => (test.kind === "equal" ? value === test.value : test.pattern.test(value));
  if (test.negated) return values.length > 0 && !values.some(fits);
  return values.some(fits);
}

function valuesOf(head: ResponseHead, name: string): readonly string[] {
  const values: string[] = [];
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.name(index).toLowerCase() === name) values.push(head.value(index));
  }
  return values;
}
