import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1, latin1 } from "../../base/bytes.ts";
import { definitionOf, printCommand, readParameters } from "./commands.ts";
import { MAX_PARAMETERS, OPENING, SSI_COMMAND, SSI_FAILURE, SSI_MORE, SSI_TEXT, SsiParser } from "./parser.ts";

/** What a body is made of, and the complaints about it. */
function read(body: string, maxValueBytes = 255): string[] {
  const seen: string[] = [];
  const parser = new SsiParser(maxValueBytes, (message) => seen.push(`! ${message}`));
  const bytes = fromLatin1(body);
  for (let at = 0; at < bytes.length; at = parser.position) {
    const result = parser.next(bytes, at, bytes.length);
    if (result === SSI_MORE) break;
    if (result === SSI_FAILURE) seen.push("failure");
    else if (result === SSI_COMMAND)
      seen.push(JSON.stringify(parser.command).replace(/"(name|parameters|value)":/g, ""));
    else if (result === SSI_TEXT) {
      seen.push(`${OPENING.slice(0, parser.lead)}${latin1(bytes, parser.textStart, parser.textEnd)}`);
    }
  }
  return seen;
}

test("commands stand between texts", () => {
  assert.deepEqual(read('a<!--#x-->b<!--# y k="1" l = \'"2"\' -->'), [
    "a",
    '{"x",[]}',
    "b",
    '{"y",[{"k","1"},{"l","\\"2\\""}]}',
  ]);
  assert.deepEqual(read("<!--#\r\n\tx\r\n\tk\r\n\t=\r\n\t'a b'\r\n\t-->"), ['{"x",[{"k","a b"}]}']);
  assert.deepEqual(read('<!--#x k="a\\"b\\\\"-->'), ['{"x",[{"k","a\\\\\\"b\\\\\\\\"}]}'], "escapes stay");
});

test("what only looks like a command is text, and an unfinished one at the end is lost", () => {
  assert.deepEqual(read("<<!<!-<!--<!-- # x -->"), ["<<!<!-<!--<!-- # x -->"]);
  assert.deepEqual(read("<!-<!--#x-->"), ["<!-", '{"x",[]}']);
  for (const end of ["<", "<!", "<!-", "<!--", "<!--#", "<!--#x", '<!--#x k="v', '<!--#x k="v"', "<!--#x --"]) {
    assert.deepEqual(read(`a${end}`), ["a"], end);
  }
});

test("what is wrong with a command is told in nginx's words, and the text goes on behind its end", () => {
  const long = "n".repeat(33);
  const cases: readonly (readonly [string, string])[] = [
    ["", 'unexpected " " symbol in "-" SSI command'],
    [long, `the "${long}..." SSI command is too long`],
    ["c - -", 'unexpected " " symbol in "c" SSI command'],
    ["c ---", 'unexpected "-" symbol in "c" SSI command'],
    ["c k-", 'unexpected "-" symbol after "k" parameter in "c" SSI command'],
    ["c k -", 'unexpected "-" symbol after "k" parameter in "c" SSI command'],
    ["c k x", 'unexpected "x" symbol after "k" parameter in "c" SSI command'],
    [`c ${long}=`, `too long "${long}..." parameter in "c" SSI command`],
    ["c k=x", 'unexpected "x" symbol before value of "k" parameter in "c" SSI command'],
    ["c k=-", 'unexpected "-" symbol before value of "k" parameter in "c" SSI command'],
    ['c k="v"x', 'unexpected "x" symbol after "v" value of "k" parameter in "c" SSI command'],
    ['c k="12345"', 'too long "12345..." value of "k" parameter in "c" SSI command'],
    ["c k='123\\45'", 'too long "123\\4..." value of "k" parameter in "c" SSI command'],
    ["c k='1234\\5'", 'too long "1234\\..." value of "k" parameter in "c" SSI command'],
  ];
  for (const [command, complaint] of cases) {
    assert.deepEqual(read(`<!--#${command}-- -->b`, 4).slice(0, 2), [`! ${complaint}`, "failure"], command);
    assert.deepEqual(read(`<!--#${command}-- -->b`, 4).at(-1), "b", command);
  }
  assert.deepEqual(read("<!--#c k=x--->-->b").slice(1), ["failure", "b"], "three dashes end nothing");
  assert.deepEqual(read('<!--#c k="1234"-->', 4), ['{"c",[{"k","1234"}]}'], "as long as it may be");
});

test("parameters are counted, and no more are kept than show that there are too many", () => {
  const parser = new SsiParser(255, assert.fail);
  const bytes = fromLatin1(`<!--#echo ${'var="" '.repeat(MAX_PARAMETERS + 9)}-->`);
  assert.equal(parser.next(bytes, 0, bytes.length), SSI_COMMAND);
  assert.equal(parser.command.parameters.length, MAX_PARAMETERS + 1);
});

test("commands are told what they may be told", () => {
  const told = (name: string, ...words: string[]): unknown => {
    const parameters = words.map((word) => ({ name: word.split("=")[0] ?? "", value: word.split("=")[1] ?? "" }));
    const definition = definitionOf({ name, parameters });
    if (definition === undefined) return undefined;
    const read = readParameters({ name, parameters }, definition);
    return read.ok ? Object.fromEntries(read.value) : read.reason;
  };
  assert.equal(told("foo"), undefined);
  assert.equal(told("INCLUDE"), undefined);
  assert.deepEqual(told("include", "virtual=/a", "wait=yes"), { virtual: "/a", wait: "yes" });
  assert.deepEqual(told("echo"), 'mandatory "var" parameter is absent in "echo" SSI command');
  assert.deepEqual(told("set", "var=a"), 'mandatory "value" parameter is absent in "set" SSI command');
  assert.deepEqual(told("endif", "a=b"), 'invalid parameter name: "a" in "endif" SSI command');
  assert.deepEqual(told("echo", "var=a", "var=b"), 'duplicate "var" parameter in "echo" SSI command');
  assert.deepEqual(told("echo", "var=a", "!var=b"), 'invalid parameter name: "!var" in "echo" SSI command');
  const many = Array.from({ length: MAX_PARAMETERS + 1 }, () => "var=a");
  assert.deepEqual(told("echo", ...many), 'too many SSI command parameters: "echo"');
});

test("a command can be written as a page has it", () => {
  assert.equal(printCommand({ name: "x", parameters: [] }), "<!--#x -->");
  const parameters = [
    { name: "a", value: "1" },
    { name: "b", value: "" },
  ];
  assert.equal(printCommand({ name: "x", parameters }), '<!--#x a="1" b="" -->');
});
