/** The file that the supervisor starts as the VRRP process. */
import { runVrrpProcess } from "./vrrp-process.ts";

runVrrpProcess();
