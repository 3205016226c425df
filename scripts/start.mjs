// `npm start`: sets the checkout up, then rehearses the example pair. Arguments go to `tandem lab`.
import { spawn } from "node:child_process";
import path from "node:path";
import { root, setup } from "./setup.mjs";

await setup();
const args = process.argv.slice(2);
const lab = spawn(process.execPath, [path.join(root, "bin/tandem"), "lab", path.join(root, "examples/pair"), ...args], {
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {}); // the terminal has told the child too
lab.on("exit", (status, signal) => process.exit(signal === null ? (status ?? 1) : 128));
