import { test } from "node:test";
import fc from "fast-check";
import { eachCommand, parseShell } from "./shell.ts";
import { runScript } from "./shell-run.ts";

const piece = fc.oneof(
  fc.constantFrom(
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "while",
    "until",
    "for",
    "in",
    "do",
    "done",
    "case",
    "esac",
    "function",
  ),
  fc.constantFrom(
    "`",
    "$(",
    ")",
    "(",
    "{",
    "}",
    "|",
    "||",
    "&&",
    "&",
    ";",
    ";;",
    "\n",
    "<<",
    "<>",
    ">&",
    "#",
    "'",
    '"',
    "\\",
    "$A",
    "${A}",
    "$((",
    "!",
  ),
  fc.constantFrom(
    "ps",
    "-C",
    "nginx",
    "wc",
    "-l",
    "[",
    "]",
    "-eq",
    "0",
    "exit",
    "sleep",
    "1",
    "A=",
    "f()",
    "f",
    "return",
    "killall",
    "keepalived",
  ),
  fc.string({ maxLength: 6 }),
);

test("no text makes the shell reader or the walk throw or hang", () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.constantFrom(" ", ""), (pieces, joint) => {
      const script = parseShell(pieces.join(joint));
      eachCommand(script.list, () => {});
      runScript(script, { service: "nginx", isServiceRunning: false, canStart: true, scriptPath: "/x" }, 2);
    }),
    { numRuns: 500 },
  );
});

test("a script that calls itself or loops for ever is given up", () => {
  for (const text of [
    "f() { f; f; }\nf\n",
    "while true; do :; done\n",
    "while :; do if x; then y; fi; done\n",
    "f() { a || b; c || d; e || f; }\nf\n",
  ])
    runScript(parseShell(text), { service: "nginx", isServiceRunning: true, canStart: true, scriptPath: "/x" }, 2);
});
