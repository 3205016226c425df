/** ETags of files, `"mtime-size"` in hexadecimal. The same file is asked for again and again, so a few are kept. */

const KEPT = 256;

interface Entry {
  readonly mtimeS: number;
  readonly sizeBytes: number;
  readonly text: string;
}

export class Etags {
  private readonly entries: (Entry | undefined)[] = new Array(KEPT).fill(undefined);

  get(mtimeS: number, sizeBytes: number): string {
    const slot = (mtimeS ^ sizeBytes) & (KEPT - 1);
    const known = this.entries[slot];
    if (known !== undefined && known.mtimeS === mtimeS && known.sizeBytes === sizeBytes) return known.text;
    const text = `"${mtimeS.toString(16)}-${sizeBytes.toString(16)}"`;
    this.entries[slot] = { mtimeS, sizeBytes, text };
    return text;
  }
}
