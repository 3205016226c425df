/**
 * Carries out the commands of a page with server side includes as it passes. Included answers are subrequests, which run at the same
 * time unless a command says otherwise. Counterpart in nginx: ngx_http_ssi_body_filter.
 */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import { ANYWHERE, definitionOf, printCommand, readParameters } from "../wire/ssi/commands.ts";
import { OPENING, SSI_COMMAND, SSI_FAILURE, SSI_TEXT, type SsiCommand, SsiParser } from "../wire/ssi/parser.ts";
import { type BodyFilter, bytesChunk, type Chunk, copyChunk, type Mark, ORDER_SSI, textChunk } from "./body.ts";
import type { Request } from "./request.ts";
import { SSI_COMMANDS } from "./ssi-commands.ts";
import { SSI_ERROR, SSI_FATAL, SSI_OK, type SsiContext, type SsiOutcome } from "./ssi-context.ts";
import { include, type Told } from "./ssi-include.ts";

const NOTHING: readonly Chunk[] = [];
const NO_BYTES: Bytes = new Uint8Array(0);
/** So much may come out of one call: the rest of the page waits until it is on its way. */
const ENOUGH_BYTES = 64 * 1024;
/** More chunks than that are joined: each costs every filter behind a call. */
const FEW_CHUNKS = 3;

function join(chunks: readonly Chunk[]): Chunk {
  return bytesChunk(concatBytes(chunks.map(({ bytes = NO_BYTES, start, end }) => bytes.subarray(start, end))));
}

export class SsiFilter implements BodyFilter {
  readonly order = ORDER_SSI;
  readonly takesPieces = true;
  readonly runsAhead = true;
  hasMore = false;
  private readonly context: SsiContext;
  private readonly parser: SsiParser;
  /** What has come and is not read yet. */
  private readonly pending: Chunk[] = [];
  /** An `include` before which everything else must have gone out. */
  private deferred: Told | undefined = undefined;
  private out: Chunk[] = [];
  private outBytes = 0;
  private readonly write = (text: string): void => this.put(textChunk(text));

  constructor(context: SsiContext) {
    this.context = context;
    this.parser = new SsiParser(context.rules.maxValueBytes, (message) => context.log(message));
  }

  /** The page goes on when the subrequest has ended and it is its turn again. */
  get waits(): boolean {
    const { awaited, request } = this.context;
    return awaited !== undefined && !(awaited.complete && request.main.active === request);
  }

  filter(request: Request, chunks: readonly Chunk[], _mark: Mark): readonly Chunk[] {
    const { context, pending } = this;
    for (const chunk of chunks) if (chunk.start < chunk.end) pending.push(chunk);
    context.awaited = undefined;
    this.out = [];
    this.outBytes = 0;
    if (this.walk() === SSI_FATAL) {
      pending.length = 0;
      this.hasMore = false;
      request.connection.terminate(0);
      return NOTHING;
    }
    this.hasMore = pending.length > 0 || this.mustPause;
    // What was given now is lent; what is older is ours.
    if (chunks.length > 0) for (let i = 0; i < pending.length; i++) pending[i] = copyChunk(pending[i] as Chunk);
    const { out } = this;
    return out.length <= FEW_CHUNKS ? out : [join(out)];
  }

  private get mustPause(): boolean {
    return this.deferred !== undefined || this.context.awaited !== undefined;
  }

  private walk(): SsiOutcome {
    const { deferred, pending, parser } = this;
    if (deferred !== undefined) {
      this.deferred = undefined;
      if (this.settle(include(this.context, deferred)) === SSI_FATAL) return SSI_FATAL;
    }
    while (pending.length > 0 && !this.mustPause && this.outBytes < ENOUGH_BYTES) {
      const { bytes = NO_BYTES, start, end } = pending[0] as Chunk;
      const result = parser.next(bytes, start, end);
      if (parser.position === end) pending.shift();
      else pending[0] = bytesChunk(bytes, parser.position, end);
      let outcome = SSI_OK;
      if (result === SSI_TEXT) outcome = this.takeText(bytes);
      else if (result === SSI_COMMAND) outcome = this.settle(this.obey(parser.command));
      else if (result === SSI_FAILURE) outcome = this.settle(SSI_ERROR);
      if (outcome === SSI_FATAL) return SSI_FATAL;
    }
    return SSI_OK;
  }

  private put(chunk: Chunk): void {
    this.out.push(chunk);
    this.outBytes += chunk.end - chunk.start;
  }

  private takeText(bytes: Bytes): SsiOutcome {
    const { lead, textStart, textEnd } = this.parser;
    if (lead > 0 && this.takeChunk(textChunk(OPENING.slice(0, lead))) === SSI_FATAL) return SSI_FATAL;
    return textStart === textEnd ? SSI_OK : this.takeChunk(bytesChunk(bytes, textStart, textEnd));
  }

  private takeChunk(chunk: Chunk): SsiOutcome {
    const { context } = this;
    if (context.isActive) this.put(chunk);
    else if (context.block !== undefined && !context.page.append(context.block, chunk)) {
      context.tooMuch();
      return SSI_FATAL;
    }
    return SSI_OK;
  }

  /** Says in the page that a command has failed. */
  private settle(outcome: SsiOutcome): SsiOutcome {
    const { errorMessage, rules } = this.context;
    if (outcome !== SSI_ERROR) return outcome;
    if (!rules.silentErrors && errorMessage !== "") this.write(errorMessage);
    return SSI_OK;
  }

  private obey(command: SsiCommand): SsiOutcome {
    const { context } = this;
    const definition = definitionOf(command);
    if (definition === undefined) {
      if (!context.isActive) return SSI_OK;
      return this.refuse(`invalid SSI command: "${command.name}"`);
    }
    if (!context.isActive && !definition.endsBlock) {
      if (context.block !== undefined) return this.takeChunk(textChunk(printCommand(command)));
      if (definition.condition === ANYWHERE) return SSI_OK;
    }
    if (
      definition.condition !== ANYWHERE &&
      (context.condition === ANYWHERE || context.condition > definition.condition)
    ) {
      return this.refuse(`invalid context of SSI command: "${command.name}"`);
    }
    const told = readParameters(command, definition);
    if (!told.ok) return this.refuse(told.reason);
    const perform = SSI_COMMANDS.get(command.name);
    if (perform !== undefined) return perform(context, told.value, this.write);
    if (this.outBytes === 0) return include(context, told.value);
    this.deferred = told.value;
    return SSI_OK;
  }

  private refuse(message: string): SsiOutcome {
    this.context.log(message);
    return SSI_ERROR;
  }
}
