import assert from "node:assert/strict";
import { test } from "node:test";
import { parseShell } from "./shell.ts";
import { scriptRuns } from "./subject.ts";

const NGINX_CHECK = (dash: string): string => `#!/bin/bash
A=\`ps -C nginx ${dash}no-header |wc -l\`
if [ $A -eq 0 ];then
/usr/local/nginx/sbin/nginx
sleep 2
if [ \`ps -C nginx --no-header |wc -l\` -eq 0 ];then
	killall keepalived
fi
fi
`;

/** Results with nginx up, dead but startable, and dead for good. */
function results(text: string, timeoutMs = 2000, path = "/etc/keepalived/check.sh") {
  const { whileUp, whileRestartable, whileBroken } = scriptRuns(parseShell(text), path, timeoutMs);
  const said = [whileUp, whileRestartable, whileBroken].map(({ verdict }) => verdict ?? "unknown");
  return { said, whileUp, whileRestartable, whileBroken };
}

test("with an en dash the script always finds nginx dead and never ends in time", () => {
  const { said, whileUp } = results(NGINX_CHECK("–"));
  assert.deepEqual(said, ["failure", "failure", "failure"]);
  assert.equal(whileUp.outcomes[0]?.status, "timeout");
  assert.ok(whileUp.outcomes[0]?.deeds.some(({ kind }) => kind === "bad-dash"));
});

test("with two minus signs it works while nginx runs, but sleeps through its timeout when nginx is dead", () => {
  const { said, whileBroken } = results(NGINX_CHECK("--"));
  assert.deepEqual(said, ["success", "failure", "failure"]);
  assert.equal(whileBroken.stopsKeepalived, false);
});

test("with a longer timeout it stops keepalived after two seconds", () => {
  const { said, whileBroken } = results(NGINX_CHECK("--"), 10_000);
  assert.deepEqual(said, ["success", "success", "success"]);
  assert.ok(whileBroken.stopsKeepalived);
  assert.equal(whileBroken.outcomes[0]?.deeds.find(({ kind }) => kind === "stop-keepalived")?.atSeconds, 2);
});

test("scripts that only ask are understood", () => {
  for (const text of [
    "killall -0 nginx",
    "pidof nginx",
    "pgrep -x nginx >/dev/null || exit 1",
    "if ! pidof nginx >/dev/null 2>&1; then\n exit 1\nfi\nexit 0",
    'if [ "$(ps -C nginx --no-header | wc -l)" -eq 0 ]; then exit 1; else exit 0; fi',
    "systemctl is-active --quiet nginx",
    "curl -fs -o /dev/null http://127.0.0.1:88/ || exit 1",
    'code=$(curl -s -o /dev/null -w "%{http_code}" http://localhost/)\n[ "$code" = 200 ] || exit 1',
    "nc -z 127.0.0.1 88",
    'up() {\n ( exec 3<>/dev/tcp/127.0.0.1/88 || exit 1\n read -r _ s _ <&3 && [ "$s" = 200 ] ) 2>/dev/null\n}\nup || exit 1',
  ])
    assert.deepEqual(results(text).said, ["success", "failure", "failure"], text);
});

test("a search in the list of all processes finds the script itself when its name has nginx in it", () => {
  const text = "n=$(ps -ef | grep nginx | grep -v grep | wc -l)\nif [ $n -eq 0 ]; then exit 1; fi\n";
  assert.deepEqual(results(text, 2000, "/etc/keepalived/nginx_check.sh").said, ["success", "success", "success"]);
  assert.deepEqual(results(text, 2000, "/etc/keepalived/check.sh").said, ["success", "failure", "failure"]);
});

test("grep finds itself in the list of processes", () => {
  assert.deepEqual(results("ps -ef | grep nginx > /dev/null\n").said, ["success", "success", "success"]);
});

test("a script that starts nginx and asks again succeeds when that works", () => {
  const text =
    "pidof nginx && exit 0\nsystemctl start nginx\nfor i in 1 2 3; do sleep 0.2; pidof nginx && exit 0; done\nexit 1\n";
  assert.deepEqual(results(text).said, ["success", "success", "failure"]);
});

test("what depends on unknown programs is left open, on all ways", () => {
  const { said, whileUp } = results("if my_probe; then exit 0; fi\nexit 1\n");
  assert.deepEqual(said, ["unknown", "unknown", "unknown"]);
  assert.deepEqual(whileUp.outcomes.map(({ status }) => status).sort(), [0, 1]);
  assert.deepEqual(whileUp.outcomes[0]?.unknowns, ["my_probe"]);
});

test("an unset variable makes an unquoted test malformed, which is not true", () => {
  assert.deepEqual(results("A=\nif [ $A -eq 0 ]; then exit 1; fi\n").said, ["success", "success", "success"]);
});
