/** Tables of results: printed row by row while the bench runs, and kept for a file. */

export class Report {
  readonly #lines: string[] = [];

  line(text: string): void {
    this.#lines.push(text);
    console.log(text);
  }

  row(...cells: readonly (string | number)[]): void {
    this.line(`| ${cells.join(" | ")} |`);
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

/** The middle value; of an even count, the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
