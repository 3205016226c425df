import assert from "node:assert/strict";
import { test } from "node:test";
import { addBlock, addLines, appendLines, editAll, removeKeyword, setKeyword } from "./edit.ts";

const CONF = `! a comment with { a brace
global_defs {
	advert_int 7 # not in an instance
}
vrrp_instance VI_1
{
	advert_int 1 ## seconds
	authentication {
		auth_type PASS
		advert_int 5
	}
	virtual_ipaddress {
		192.168.50.130
	} #
}`;

test("a keyword is replaced in its block only", () => {
  const text = setKeyword("vrrp_instance", "advert_int", "0.1")(CONF);
  assert.match(text, /VI_1\n{\n\tadvert_int 0\.1\n\tauthentication/);
  assert.match(text, /global_defs {\n\tadvert_int 7/);
  assert.match(text, /auth_type PASS\n\t\tadvert_int 5/);
});

test("a keyword that is missing is added, one without a value stands alone", () => {
  assert.match(setKeyword("vrrp_instance", "nopreempt", "")(CONF), /{\n\tnopreempt\n\tadvert_int 1/);
});

test("a keyword goes with its block", () => {
  const text = removeKeyword("vrrp_instance", "authentication")(CONF);
  assert.doesNotMatch(text, /auth/);
  assert.match(text, /advert_int 1 ## seconds\n\tvirtual_ipaddress {\n\t\t192/);
});

test("a keyword that isn't there changes nothing", () => {
  assert.equal(removeKeyword("vrrp_instance", "garp_master_delay")(CONF), CONF);
  assert.equal(removeKeyword("vrrp_script", "interval")(CONF), CONF);
});

test("lines and blocks are added, and edits follow each other", () => {
  const text = editAll([
    addLines("vrrp_instance", ["track_process {", "\tnginx", "}"]),
    addBlock(["vrrp_track_process nginx {", "\tprocess nginx", "}"]),
  ])(CONF);
  assert.ok(text.startsWith("vrrp_track_process nginx {\n\tprocess nginx\n}\n! a comment"));
  assert.match(text, /VI_1\n{\n\ttrack_process {\n\t\tnginx\n\t}\n\tadvert_int 1/);
});

test("lines are added at the end of a block, inside it", () => {
  const conf = "http {\n\tserver {\n\t}\n}\nother {\n}";
  assert.equal(appendLines("http", ["last;"])(conf), "http {\n\tserver {\n\t}\n\tlast;\n}\nother {\n}");
});
