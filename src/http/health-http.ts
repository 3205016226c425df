/** A health check over HTTP/1: a request as the location sends it, an answer that has to pass the tests of its `match`. */
import { type Bytes, latin1 } from "../base/bytes.ts";
import type { ResponseHead } from "../wire/http1/response-head.ts";
import { HealthAnswer } from "./health-answer.ts";
import { failingTest, type MatchTests } from "./health-match.ts";
import { ANSWER_MALFORMED, type AnswerResult, NO_BYTES, type ProbeTalk, type Verdict } from "./health-talk.ts";
import type { Output } from "./output.ts";

export interface HttpQuestion {
  readonly tests: MatchTests;
  readonly headBytes: number;
  /** Writes the request into memory that belongs to nobody. */
  compose(): Output;
  /** A variable, for `require`; `head` is the answer's. */
  valueOf(variable: string, head: ResponseHead): string | undefined;
}

export class HttpTalk implements ProbeTalk {
  fault = "";
  private readonly question: HttpQuestion;
  private answer: HealthAnswer;

  constructor(question: HttpQuestion) {
    this.question = question;
    this.answer = new HealthAnswer(question.headBytes);
  }

  get headRead(): boolean {
    return this.answer.headRead;
  }

  get reusable(): boolean {
    return this.answer.reusable;
  }

  ask(): Bytes {
    this.answer = new HealthAnswer(this.question.headBytes);
    const { bytes, used } = this.question.compose();
    return bytes.slice(0, used);
  }

  take(bytes: Bytes, start: number, end: number): AnswerResult {
    const result = this.answer.take(bytes, start, end);
    if (result === ANSWER_MALFORMED) this.fault = `upstream sent invalid ${this.headRead ? "response" : "header"}`;
    return result;
  }

  /** A server has nothing to say before it is asked. */
  idle(): boolean {
    return false;
  }

  replies(): Bytes {
    return NO_BYTES;
  }

  end(): boolean {
    return this.answer.end();
  }

  judge(): Verdict {
    const { question, answer } = this;
    const { head } = answer;
    const failing = failingTest(question.tests, head, answer.text, (name) => question.valueOf(name, head));
    const status = latin1(head.bytes, head.base + head.statusStart, head.base + head.statusEnd);
    return { failing, detail: `answer: ${status}` };
  }
}
