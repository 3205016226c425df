import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bareAddress, formatAddress, printMail } from "./mail-text.ts";

/** Texts with what could begin another line or another address. */
const TEXT = fc.oneof(
  fc.string(),
  fc.string({ unit: fc.constantFrom("\r", "\n", " ", "<", ">", '"', "\\", ",", "a", ":") }),
);
const ADDRESS = fc.oneof(
  TEXT,
  fc.tuple(TEXT, fc.emailAddress()).map(([name, address]) => `${name} <${address}>`),
);

test("whatever names and addresses hold, a mail has its five fields, a blank line and its body", () => {
  fc.assert(
    fc.property(
      ADDRESS,
      fc.array(ADDRESS, { minLength: 1, maxLength: 40 }),
      TEXT,
      TEXT,
      (from, to, sender, subject) => {
        const lines = printMail({ subject, body: "body" }, { from, to, sender }, new Date(0)).split("\r\n");
        const fields = lines.slice(0, lines.indexOf("")).filter((line) => !line.startsWith(" "));
        assert.deepEqual(
          fields.map((line) => line.split(":")[0]),
          ["Date", "From", "Subject", "X-Mailer", "To"],
        );
        assert.deepEqual(lines.slice(lines.indexOf("")), ["", "body", "", ""]);
      },
    ),
  );
});

test("the bare address of a formatted one is the same, and a formatted one stays so", () => {
  fc.assert(
    fc.property(TEXT, fc.emailAddress(), (name, address) => {
      const text = `${name}<${address}>`;
      assert.equal(bareAddress(formatAddress(text)), address);
    }),
  );
});
