/** Differences of the web server to nginx that are meant: docs/compatibility.md lists them with their reasons. */
import { isDeepStrictEqual } from "node:util";
import { type Http1Case, LAST_REQUEST } from "./http1-cases.ts";
import type { Http1View } from "./http1-views.ts";

/** Neither of the two is different: */
const CHANCE = "how much had come when a line or a body was refused";
/** Bytes of the smallest buffer for heads of some lane. */
const SMALLEST_BUFFER_BYTES = 128;

/** Which of the known differences explains that these two differ; undefined when none does. */
export function reasonFor(one: Http1Case, theirs: Http1View, ours: Http1View): string | undefined {
  const sent = one.pieces.join("");
  const inPieces = one.dribbled || one.cuts.length > 0;
  const [their, our] = [withoutLines(theirs), withoutLines(ours)];
  const isSame = (change: (view: Http1View) => Http1View): boolean => isDeepStrictEqual(change(their), change(our));
  if (isSame((view) => view)) return quotesAlike(theirs, ours) ? CHANCE : undefined;
  if (/ 412 /.test(theirs.client)) return "412 keeps the connection";
  if (/^content-length:\s*\d{16}/im.test(sent) && / 400 /.test(ours.client))
    return "a length of more than 2^53 - 1 bytes is refused";
  // A back end that is slow because the machine is.
  if (one.ending === "half" && [theirs, ours].some(({ access }) => access.some((line) => / 499 /.test(line))))
    return "the client's end came before the back end's answer";
  const isCut = inPieces || sent.length + LAST_REQUEST.length > SMALLEST_BUFFER_BYTES;
  const isAnsweredAlike = theirs.client === ours.client && theirs.fate === ours.fate;
  const isMalformed = [theirs, ours].every(({ errors }) =>
    errors.some((line) => /(?:sent invalid|send too large) chunked body/.test(line)),
  );
  if (isMalformed && isSame(withoutFiles)) return "what has come of a malformed body may lie in a file already";
  if (isMalformed && (inPieces || (isCut && isAnsweredAlike))) return CHANCE;
  if (/\/stream/.test(sent) && (inPieces || one.ending === "half") && ours.client.startsWith(theirs.client))
    return "a body that is still coming when its answer has been given does not end the connection";
  const isTooLong = [theirs, ours].some(({ errors }) => errors.some((line) => /sent too (?:long|large)/.test(line)));
  const isRefused = (view: Http1View): boolean => / 4\d\d /.test(view.client);
  const isTooLargeTogether = isTooLong && isRefused(theirs) && (isRefused(ours) || theirs.access.length > 1);
  if (isCut && (isSame(withoutPipelining) || isTooLargeTogether))
    return "which of nginx's buffers the next request lies in";
  if (isCut && isSame((view) => withoutBody(withoutFiles(view))))
    return "client_body_buffer_size holds the data of a chunked body";
  const chunked = /^transfer-encoding/im.test(sent);
  if (chunked && isSame(withoutContentLength)) return "variables are asked anew each time";
  if (isSame((view) => withoutContentLength(withoutPipelining(withoutLength(view))))) {
    if (inPieces) return CHANCE;
    if (chunked || /^content-length/im.test(sent)) return "a body that is thrown away does not shorten $request_length";
  }
  return undefined;
}

/** What comes in pieces may be refused when a little more or less of it has come. */
export function lasting(one: Http1Case, view: Http1View): Http1View | undefined {
  if (!one.dribbled && one.cuts.length === 0) return view;
  if (view.errors.some((line) => /(?:sent invalid|send too large) chunked body/.test(line))) return undefined;
  return withoutPipelining(withoutLines(view));
}

const REQUEST = /^".*?" (?=\d{3} )/;
/** Behind the line: status, body bytes, bytes. */
const LENGTH = /^(\d+ \d+ \d+) -?\d+ /;
/** Behind the protocol. */
const CONTENT_LENGTH = /( HTTP\/\d\S* +)"[^"]*"/;

/** Before the last three. */
const BODY = /"[^"]*"( "[^"]*" [^"\s]+ [^"]*)$/;

/** Without the request lines that the logs quote. */
function withoutLines(view: Http1View): Http1View {
  return changed(view, [[REQUEST, ""]], [[/, request: ".*?"(?=$|, (?:host|upstream|subrequest|referrer): )/, ""]]);
}

function withoutLength(view: Http1View): Http1View {
  return changed(view, [[LENGTH, "$1 "]]);
}

function withoutContentLength(view: Http1View): Http1View {
  return changed(view, [[CONTENT_LENGTH, "$1"]]);
}

function withoutBody(view: Http1View): Http1View {
  return changed(view, [[BODY, "$1"]]);
}

function withoutFiles(view: Http1View): Http1View {
  return { ...view, errors: view.errors.filter((line) => !line.includes("is buffered to a temporary file")) };
}

function withoutPipelining(view: Http1View): Http1View {
  return changed(view, [], [["client pipelined request line", "client request line"]]);
}

type Change = readonly [from: RegExp | string, to: string];

function changed(view: Http1View, access: readonly Change[], errors: readonly Change[] = []): Http1View {
  const change = (line: string, changes: readonly Change[]): string =>
    changes.reduce((text, [from, to]) => text.replace(from, to), line);
  return {
    ...view,
    access: view.access.map((line) => change(line, access)),
    errors: view.errors.map((line) => change(line, errors)),
  };
}

/** The lines that were quoted are the same as far as both go. */
function quotesAlike(theirs: Http1View, ours: Http1View): boolean {
  return theirs.access.every((line, i) => {
    const quoted = (text: string): string => (REQUEST.exec(text)?.[0] ?? "").slice(0, -2);
    const [one, other] = [quoted(line), quoted(ours.access[i] as string)];
    return one.startsWith(other) || other.startsWith(one);
  });
}
