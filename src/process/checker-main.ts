/** The file that the supervisor starts as the checker process. */
import { runCheckerProcess } from "./checker-process.ts";

runCheckerProcess();
