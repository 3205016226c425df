/** What the stream service needs of the world. */
export type { ServiceWorld as StreamPorts } from "../net/service-world.ts";
