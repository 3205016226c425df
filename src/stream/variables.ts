/** Variables of stream: those that a session is asked for. nginx: ngx_stream_variables.c. */
import type * as net from "../net/variables.ts";
import type { Session } from "./session.ts";

export type Getter = net.Getter<Session>;
export type Setter = net.Setter<Session>;
export type Text = net.Text<Session>;
export type Variable = net.Variable<Session>;
export type VariablePrefix = net.VariablePrefix<Session>;
export type Definition = net.Definition<Session>;
