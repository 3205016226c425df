/** Keywords of `global_defs` for the flight recorder: extensions, keepalived knows none of them. See docs/flight-recorder.md. */
import type { GlobalsDraft } from "./drafts.ts";
import type { Keywords } from "./interpreter.ts";
import { slotsOf } from "./slots.ts";

const slots = slotsOf<GlobalsDraft>();

export const DEFAULT_FLIGHT_FILES = 20;
const MAX_FILES = 1000;

/** Their names, for whoever says that a file uses them. */
export const FLIGHT_KEYWORDS = ["flight_recorder_dir", "flight_recorder_files"] as const;

export const flightKeywords: Keywords<GlobalsDraft> = {
  flight_recorder_dir: slots.text("flightFolder", {
    syntax: "PATH",
    default: "/var/lib/tandem/flights, if it exists",
    doc: "Where the flight recorder is saved at each change of role; made if it is missing. An extension of Tandem's.",
  }),
  flight_recorder_files: slots.integer("flightFiles", {
    min: 0,
    max: MAX_FILES,
    default: String(DEFAULT_FLIGHT_FILES),
    doc: "So many records are kept, the oldest go; 0: none is written. An extension of Tandem's.",
    invalid: (text) => `flight_recorder_files '${text}' must be in [0, ${MAX_FILES}] - ignoring`,
  }),
};
