/** The services of the nginx half, in the order in which they start. */
import { httpKind } from "./http-kind.ts";
import type { ServiceKind } from "./service-kind.ts";
import { streamKind } from "./stream-kind.ts";

export const nginxKinds: readonly ServiceKind[] = [httpKind(), streamKind()];
