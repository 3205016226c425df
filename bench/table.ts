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

/** The value below which this part of them lies, between two values where it falls there. NaN of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = part * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** The middle value; of an even count, the mean of the two in the middle. NaN of none. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);
