import assert from "node:assert/strict";
import { test } from "node:test";
import { eachCommand, parseShell } from "./shell.ts";

/** Sources of all commands, with line and column of the first word. */
function commands(text: string): string[] {
  const found: string[] = [];
  eachCommand(parseShell(text).list, ({ words }) => {
    const [first] = words;
    found.push(`${first?.line}:${first?.column} ${words.map(({ source }) => source).join(" ")}`);
  });
  return found;
}

test("the interpreter is that of the #! line", () => {
  assert.equal(parseShell("#!/bin/bash -e\n").interpreter, "/bin/bash -e");
  assert.equal(parseShell("# no\n").interpreter, undefined);
});

test("every command is found with its place, also in backticks, $() and branches", () => {
  const text = "A=`ps -C nginx |wc -l`\nif [ $A -eq 0 ];then\n  sleep 2\nelse B=$(pidof nginx); fi\n";
  assert.deepEqual(commands(text), [
    "1:4 ps -C nginx",
    "1:17 wc -l",
    "2:4 [ $A -eq 0 ]",
    "3:3 sleep 2",
    "4:10 pidof nginx",
  ]);
});

test("quotes, comments, continued lines and redirections are read", () => {
  const script = parseShell("a \"b c\" 'd' e\\ f # g\nh \\\n  i >/dev/null 2>&1 && j || k &\n");
  const [first] = script.list;
  const command = first?.pipeline.commands[0];
  assert.ok(command?.kind === "simple");
  assert.deepEqual(
    command.words.map(({ parts }) => parts.map((part) => (part.kind === "text" ? part.text : "?")).join("")),
    ["a", "b c", "d", "e f"],
  );
  assert.deepEqual(commands('a "b c" # g\nh \\\n  i >/dev/null 2>&1 && j || k &\n'), [
    '1:1 a "b c"',
    "2:1 h i",
    "3:24 j",
    "3:29 k",
  ]);
  assert.deepEqual(script.unread, []);
});

test("functions, loops and groups are read", () => {
  const text =
    "up() {\n  ( exec 3<>/dev/tcp/127.0.0.1/80 || exit 1 )\n}\nfor i in 1 2; do up && exit 0; done\nwhile true; do x; done\n";
  assert.deepEqual(parseShell(text).unread, []);
  assert.deepEqual(commands(text), ["2:5 exec", "2:38 exit 1", "4:18 up", "4:24 exit 0", "5:7 true", "5:16 x"]);
});

test("what can't be read is said", () => {
  assert.match(parseShell("case $1 in a) b;; esac\n").unread[0] ?? "", /^case in line 1/);
  assert.match(parseShell("cat <<EOF\nx\nEOF\n").unread[0] ?? "", /here-document in line 1/);
  assert.match(parseShell("if true; then x\n").unread[0] ?? "", /"fi" is missing/);
  assert.match(parseShell("fi\n").unread[0] ?? "", /everything from line 1/);
});
