/**
 * What a check script does, worked out without running it: the script is walked through in an imagined node where nginx (or another
 * service) runs or doesn't, following every branch that can't be decided. Programs that check scripts use are known by what they
 * print and return; anything else makes both outcomes possible.
 */

import type { Command, List, Pipeline, Script, Word } from "./shell.ts";
import { COMMANDS, type CommandResult, UNKNOWN } from "./shell-commands.ts";

/** The imagined node. */
export interface World {
  /** Name of the program that the script looks after, `nginx`. */
  readonly service: string;
  readonly isServiceRunning: boolean;
  /** Whether starting it would work. */
  readonly canStart: boolean;
  /** What `ps -ef` shows of the script itself. */
  readonly scriptPath: string;
  /** The script has a connection to nginx open (`/dev/tcp`). */
  readonly isConnected?: boolean;
}

/** Something that the script did, and when. */
export interface Deed {
  readonly kind: "start-service" | "stop-service" | "stop-keepalived" | "bad-dash" | "sleep" | "ask";
  /** Program, argument or seconds, as far as it explains. */
  readonly detail: string;
  readonly line: number;
  readonly atSeconds: number;
}

/** One way the script may go. */
export interface Outcome {
  /** Exit status; undefined: not known; "timeout": still running when its time was up. */
  readonly status: number | undefined | "timeout";
  readonly seconds: number;
  readonly deeds: readonly Deed[];
  /** Programs whose result is not known to us, on this way. */
  readonly unknowns: readonly string[];
}

/** Ways that are followed at most. */
const MAX_STATES = 64;
/** Commands that are looked at on all ways together. */
const MAX_STEPS = 5000;
/** Rounds of a loop, and calls within calls. */
const MAX_ROUNDS = 100;
const MAX_CALLS = 10;

/** A state of the walk. */
export interface State {
  readonly world: World;
  readonly variables: ReadonlyMap<string, string | undefined>;
  readonly functions: ReadonlyMap<string, Command>;
  readonly seconds: number;
  readonly deeds: readonly Deed[];
  readonly unknowns: readonly string[];
  readonly status: number | undefined;
  readonly output: string | undefined;
  readonly isEnded: boolean;
  /** `return` was called: the function is over. */
  readonly isReturning: boolean;
  readonly isTimedOut: boolean;
}

/** All ways that the script may go in this world, when it is ended after `timeoutSeconds`. */
export function runScript(script: Script, world: World, timeoutSeconds: number): readonly Outcome[] {
  const walk = new Walk(timeoutSeconds);
  const start: State = {
    world,
    variables: new Map(),
    functions: new Map(),
    seconds: 0,
    deeds: [],
    unknowns: [],
    status: 0,
    output: "",
    isEnded: false,
    isReturning: false,
    isTimedOut: false,
  };
  const ends = walk.list(script.list, [start]);
  const isIncomplete = script.unread.length > 0 || walk.isCut;
  return ends.map(({ status, seconds, deeds, unknowns, isTimedOut }) => ({
    status: isTimedOut ? "timeout" : isIncomplete ? undefined : status,
    seconds,
    deeds,
    unknowns,
  }));
}

class Walk {
  isCut = false;
  readonly #timeoutSeconds: number;
  #steps = 0;
  #calls = 0;

  constructor(timeoutSeconds: number) {
    this.#timeoutSeconds = timeoutSeconds;
  }

  list(list: List, states: readonly State[]): readonly State[] {
    let current = states;
    let joint: string = ";";
    for (const item of list) {
      const next: State[] = [];
      for (const state of current) {
        if (this.#isOver(state)) next.push(state);
        else if (joint === "&&" || joint === "||") {
          const wanted = joint === "&&";
          if (state.status === undefined || (state.status === 0) === wanted) {
            const assumed = state.status === undefined ? { ...state, status: wanted ? 0 : 1 } : state;
            next.push(...this.#pipeline(item.pipeline, assumed));
          }
          if (state.status === undefined) next.push({ ...state, status: wanted ? 1 : 0 });
          else if ((state.status === 0) !== wanted) next.push(state);
        } else next.push(...this.#pipeline(item.pipeline, state));
      }
      current = this.#bounded(next);
      joint = item.joint;
    }
    return current;
  }

  #isOver(state: State): boolean {
    return state.isEnded || state.isReturning || state.isTimedOut;
  }

  #bounded(states: State[]): readonly State[] {
    if (states.length <= MAX_STATES) return states;
    this.isCut = true;
    return states.slice(0, MAX_STATES);
  }

  /** A pipeline runs its commands on each other's output; the last one gives the status. */
  #pipeline({ commands, isNegated }: Pipeline, state: State): readonly State[] {
    let states: readonly State[] = [{ ...state, output: "" }];
    const printed = state.output;
    for (const [index, command] of commands.entries()) {
      const following = commands.slice(index + 1);
      states = this.#bounded(
        states.flatMap((one) => (this.#isOver(one) ? [one] : this.#command(command, one, index === 0, following))),
      );
    }
    return states.map((one) => ({
      ...one,
      output: one.output === undefined || printed === undefined ? undefined : printed + one.output,
      status: isNegated && one.status !== undefined ? Number(one.status === 0) : one.status,
    }));
  }

  #command(command: Command, state: State, isFirst: boolean, following: readonly Command[]): readonly State[] {
    if (++this.#steps > MAX_STEPS) {
      this.isCut = true;
      return [{ ...state, status: undefined }];
    }
    const empty = { ...state, output: "" };
    switch (command.kind) {
      case "simple":
        return this.#simple(command, state, isFirst, following);
      case "group":
        return this.list(command.list, [empty]).map((one) =>
          command.isSubshell ? { ...one, isEnded: false, variables: state.variables } : one,
        );
      case "function":
        return [{ ...empty, status: 0, functions: new Map(state.functions).set(command.name, command.body) }];
      case "if":
        return this.#if(command.clauses, command.otherwise, empty);
      case "while":
        return this.#while(command.condition, command.body, command.isUntil, empty);
      case "for":
        return this.#for(command.name, command.words, command.body, empty);
      case "unknown":
        return [{ ...empty, status: undefined, output: undefined, unknowns: [...state.unknowns, command.what] }];
    }
  }

  #if(clauses: readonly { condition: List; body: List }[], otherwise: List, state: State): readonly State[] {
    const done: State[] = [];
    let open: readonly State[] = [state];
    for (const { condition, body } of clauses) {
      const refused: State[] = [];
      for (const tested of this.list(condition, open)) {
        if (this.#isOver(tested)) done.push(tested);
        else {
          if (tested.status !== undefined ? tested.status === 0 : true)
            done.push(...this.list(body, [{ ...tested, status: 0 }]));
          if (tested.status !== 0) refused.push(tested);
        }
      }
      open = this.#bounded(refused);
    }
    const rest = open.map((one) => ({ ...one, status: 0 }));
    return this.#bounded([...done, ...this.list(otherwise, rest)]);
  }

  #while(condition: List, body: List, isUntil: boolean, state: State): readonly State[] {
    const done: State[] = [];
    let running: readonly State[] = [state];
    for (let round = 0; running.length > 0; round++) {
      if (round >= MAX_ROUNDS) return [...done, ...running.map((one) => unclear(one, "a loop"))];
      const next: State[] = [];
      for (const tested of this.list(condition, running)) {
        if (this.#isOver(tested)) done.push(tested);
        else if (tested.status === undefined) done.push(unclear(tested, "a loop"));
        else if ((tested.status === 0) === isUntil) done.push({ ...tested, status: 0 });
        else next.push(tested);
      }
      running = [];
      for (const one of this.list(body, next))
        if (this.#isOver(one)) done.push(one);
        else running = [...running, one];
      running = this.#bounded([...running]);
    }
    return this.#bounded(done);
  }

  #for(name: string, words: readonly Word[], body: List, state: State): readonly State[] {
    return this.#bounded(
      this.#expand(words, state).flatMap(([values, start]) => {
        if (values.includes(undefined) || values.length > MAX_ROUNDS) return [unclear(start, "a loop")];
        let states: readonly State[] = [{ ...start, status: 0 }];
        for (const value of values)
          states = this.#bounded(
            states.flatMap((one) =>
              this.#isOver(one)
                ? [one]
                : this.list(body, [{ ...one, variables: new Map(one.variables).set(name, value) }]),
            ),
          );
        return [...states];
      }),
    );
  }

  #simple(
    command: Extract<Command, { kind: "simple" }>,
    state: State,
    isFirst: boolean,
    following: readonly Command[],
  ): readonly State[] {
    const input = isFirst ? "" : state.output;
    const assigned = this.#assign(command, { ...state, output: "" });
    return assigned.flatMap((before) => {
      if (this.#isOver(before) || command.words.length === 0) return [before];
      return this.#expand(command.words, before).flatMap(([words, after]) =>
        this.#isOver(after) ? [after] : this.#run(words, after, input, command, following),
      );
    });
  }

  #assign(command: Extract<Command, { kind: "simple" }>, state: State): readonly State[] {
    let states: readonly State[] = [state];
    for (const { name, value } of command.assignments) {
      states = this.#bounded(
        states.flatMap((one) =>
          this.#value(value, one).map(([text, after]) => ({
            ...after,
            variables: new Map(after.variables).set(name, text),
          })),
        ),
      );
    }
    return states;
  }

  /** The words of a command: undefined for one whose text is not known. An empty unquoted word is no word. */
  #expand(words: readonly Word[], state: State): readonly (readonly [readonly (string | undefined)[], State])[] {
    let partial: readonly (readonly [readonly (string | undefined)[], State])[] = [[[], state]];
    for (const word of words)
      partial = partial.flatMap(([before, one]) =>
        this.#value(word, one).map(([text, after]): readonly [readonly (string | undefined)[], State] => {
          if (text === undefined || word.isQuoted) return [[...before, text], after];
          const isLiteral = word.parts.every(({ kind }) => kind === "text");
          const split = isLiteral ? [text] : text.split(/\s+/).filter((piece) => piece !== "");
          return [[...before, ...split], after];
        }),
      );
    return partial.slice(0, MAX_STATES);
  }

  #value(word: Word, state: State): readonly (readonly [string | undefined, State])[] {
    let values: readonly (readonly [string | undefined, State])[] = [["", state]];
    for (const part of word.parts)
      values = values.flatMap(([text, one]): readonly (readonly [string | undefined, State])[] => {
        if (part.kind === "text") return [[text === undefined ? undefined : text + part.text, one]];
        if (part.kind === "variable") {
          const value = one.variables.has(part.name) ? one.variables.get(part.name) : special(part.name, one);
          return [[text === undefined || value === undefined ? undefined : text + value, one]];
        }
        return this.list(part.list, [{ ...one, output: "" }]).map((after) => {
          const printed = after.output?.replace(/\n+$/, "");
          const whole = text === undefined || printed === undefined ? undefined : text + printed;
          // exit inside a substitution ends only the substitution.
          return [whole, { ...after, output: one.output, isEnded: false }] as const;
        });
      });
    return values;
  }

  /** A function of the script, else a program. */
  #run(
    words: readonly (string | undefined)[],
    state: State,
    input: string | undefined,
    command: Extract<Command, { kind: "simple" }>,
    following: readonly Command[],
  ): readonly State[] {
    const body = words[0] === undefined ? undefined : state.functions.get(words[0]);
    if (body === undefined) return [this.#execute(words, state, input, command, following)];
    if (this.#calls >= MAX_CALLS) return [unclear(state, "functions that call each other")];
    this.#calls++;
    const after = this.#command(body, state, true, []);
    this.#calls--;
    return after.map((one) => ({ ...one, isReturning: false }));
  }

  #execute(
    words: readonly (string | undefined)[],
    state: State,
    input: string | undefined,
    { line, targets }: Extract<Command, { kind: "simple" }>,
    following: readonly Command[],
  ): State {
    const [name] = words;
    const deeds = [...state.deeds];
    const note = (kind: Deed["kind"], detail: string): void => {
      deeds.push({ kind, detail, line, atSeconds: state.seconds });
    };
    const known = name === undefined ? undefined : lookUp(name);
    const context = { words, targets, input, world: state.world, status: state.status, following, note };
    const result: CommandResult = known?.(context) ?? UNKNOWN;
    const seconds = state.seconds + (result.seconds ?? 0);
    if (result.seconds !== undefined) note("sleep", String(result.seconds));
    return {
      ...state,
      deeds,
      world: result.world ?? state.world,
      variables: result.variables === undefined ? state.variables : new Map([...state.variables, ...result.variables]),
      seconds,
      isTimedOut: seconds >= this.#timeoutSeconds,
      isEnded: result.isExit === true,
      isReturning: result.isReturn === true,
      status: result.status,
      output: result.output,
      unknowns: result.isUnknown === true ? [...state.unknowns, name ?? "a command from a variable"] : state.unknowns,
    };
  }
}

/** The same state, of whose result nothing is known any more. */
function unclear(state: State, what: string): State {
  return { ...state, status: undefined, output: undefined, unknowns: [...state.unknowns, what] };
}

function lookUp(name: string): (typeof COMMANDS)[string] | undefined {
  const base = name.slice(name.lastIndexOf("/") + 1);
  return Object.hasOwn(COMMANDS, base) ? COMMANDS[base] : undefined;
}

/** Variables of the shell itself; undefined when not known. An unset variable of the script is empty. */
function special(name: string, state: State): string | undefined {
  if (name === "?") return state.status === undefined ? undefined : String(state.status);
  if (name === "0") return state.world.scriptPath;
  if (/^[1-9@*]$/.test(name)) return "";
  return name === "#" ? "0" : undefined;
}
