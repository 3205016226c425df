/** What a conversation through a proxy looked like from both its ends, in a form that two proxies can be compared by. */

/** Both ends. */
export interface View {
  /** What the client was sent, date and chunk sizes taken out. */
  readonly client: string;
  /** The proxy closed before the time was up. */
  readonly closed: boolean;
  /** Requests as the back end has understood them, in order. */
  readonly backEnd: readonly string[];
}

/** The first request of what a back end has received; undefined while it is incomplete. Strict: a proxy has written it. */
export function takeRequest(text: string): { readonly request: string; readonly rest: string } | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd + 2);
  const body = text.slice(headEnd + 4);
  if (/^transfer-encoding: chunked\r$/im.test(head)) {
    const decoded = unchunk(body);
    return decoded === undefined ? undefined : { request: `${head}\r\n<${decoded.data}>`, rest: decoded.rest };
  }
  const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0);
  if (body.length < length) return undefined;
  return { request: `${head}\r\n${body.slice(0, length)}`, rest: body.slice(length) };
}

/** The data of a chunked body that is whole; trailers are kept as data of the view. */
function unchunk(text: string): { readonly data: string; readonly rest: string } | undefined {
  let data = "";
  for (let at = 0; ; ) {
    const line = /^([0-9a-f]+)\r\n/i.exec(text.slice(at, at + 20));
    if (line === null) return undefined;
    const size = Number.parseInt(line[1] as string, 16);
    at += line[0].length;
    if (size === 0) {
      const end = text.indexOf("\r\n", at) === at ? at + 2 : text.indexOf("\r\n\r\n", at) + 4;
      return end < at + 2 ? undefined : { data: data + text.slice(at, end - 2), rest: text.slice(end) };
    }
    if (text.slice(at + size, at + size + 2) !== "\r\n") return undefined;
    data += text.slice(at, at + size);
    at += size + 2;
  }
}

/** What a client got, without what differs from run to run: the date, and how a body was cut into chunks. */
export function normalise(text: string): string {
  let plain = "";
  let rest = text.replace(/^Date: [^\r\n]*GMT\r$/gim, "Date: now\r");
  for (;;) {
    const head = /^Transfer-Encoding: chunked\r\n(?:[^\r\n]+\r\n)*\r\n/im.exec(rest);
    if (head === null) return plain + rest;
    const end = head.index + head[0].length;
    plain += rest.slice(0, end);
    rest = rest.slice(end);
    const decoded = unchunk(rest);
    if (decoded === undefined) {
      plain += openChunks(rest);
      return plain;
    }
    plain += `<${decoded.data}>`;
    rest = decoded.rest;
  }
}

/** A chunked body that breaks off: its data so far. */
function openChunks(text: string): string {
  let data = "<";
  for (let at = 0; ; ) {
    const line = /^([0-9a-f]+)\r\n/i.exec(text.slice(at, at + 20));
    if (line === null || line[1] === "0") return data + text.slice(at);
    const size = Number.parseInt(line[1] as string, 16);
    at += line[0].length;
    data += text.slice(at, at + size);
    if (text.length < at + size + 2) return data;
    at += size + 2;
  }
}
