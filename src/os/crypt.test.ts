import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SystemCrypt } from "./crypt.ts";
import { findCryptR } from "./ffi/crypt.ts";

/** Hashes of "password" as `openssl passwd`, `htpasswd` and `mkpasswd` make them. */
const HASHES: Readonly<Record<string, string>> = {
  DES: "sa3tHJ3/KuYvI",
  MD5: "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
  bcrypt: "$2y$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm",
  "SHA-256": "$5$salt$Gcm6FsVtF/Qa77ZKD.iwsJlCVPY0XSMgLJL0Hnww/c1",
  "SHA-512": "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.",
  yescrypt: "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC",
};

describe("crypt", { skip: findCryptR() === undefined ? "this machine has no libcrypt" : false }, () => {
  const crypt = new SystemCrypt();
  for (const [method, hash] of Object.entries(HASHES)) {
    test(`${method}: the hash of the password is the hash that it was checked with`, (t) => {
      const crypted = crypt.hash("password", hash);
      // musl and distributions leave methods out.
      if (crypted.ok && crypted.value.startsWith("*")) return t.skip("not known to this library");
      assert.deepEqual(crypted, { ok: true, value: hash });
      assert.notDeepEqual(crypt.hash("Password", hash), { ok: true, value: hash });
    });
  }

  test("a setting that is none is refused, or answered with a text that is no hash", () => {
    const crypted = crypt.hash("password", "$unknown$");
    assert.ok(!crypted.ok || crypted.value.startsWith("*") || crypted.value === "x", JSON.stringify(crypted));
  });

  test("bytes above 127 are bytes", () => {
    const crypted = crypt.hash("p\xe9", "$6$salt$");
    assert.ok(crypted.ok);
    assert.notDeepEqual(crypted, crypt.hash("p\xc3\xa9", "$6$salt$"));
  });
});

test("a machine without the library says so", () => {
  const crypt = new SystemCrypt(() => undefined);
  assert.deepEqual(crypt.hash("password", "$6$salt$"), { ok: false, errno: 0 });
});

test("a library that fails is told, and nothing is left of the password that it was given", () => {
  let given = new Uint8Array();
  const crypt = new SystemCrypt(() => (password) => {
    given = password as typeof given;
    assert.deepEqual([...password], [0x70, 0x77, 0]);
    return null;
  });
  assert.equal(crypt.hash("pw", "$6$salt$").ok, false);
  assert.deepEqual([...given], [0, 0, 0]);
});
