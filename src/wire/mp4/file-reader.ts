/** The atoms of a whole mp4 file: `ftyp`, `moov` and `mdat`. Counterpart in nginx: the handlers of ngx_http_mp4_atoms. */
import type { Bytes } from "../../base/bytes.ts";
import { AtomReader, FAULT, OK, SKIP, type Visit } from "./atom-reader.ts";
import { atomName, HEAD_BYTES, writeHead } from "./atoms.ts";
import { MovieReader } from "./movie-reader.ts";
import type { Mp4Cut, Mp4Source } from "./source.ts";

const MAX_FTYP_BYTES = 1024;
/** What nginx reads ahead behind `moov`. */
const EXCESS_BYTES = 4096;
/** Atoms of a file beside those in `moov`; nginx reads any number. */
const MAX_FILE_ATOMS = 100_000;

const FTYP = atomName("ftyp");
const MOOV = atomName("moov");
const MDAT = atomName("mdat");

export class FileReader {
  readonly atoms: AtomReader;
  /** The whole `ftyp`, with its head. */
  ftyp: Bytes | undefined = undefined;
  movie: MovieReader | undefined = undefined;
  /** Where the data of `mdat` end in the file; -1 without. */
  dataEnd = -1;
  private readonly cut: Mp4Cut;
  private count = 0;

  constructor(source: Mp4Source, cut: Mp4Cut) {
    this.atoms = new AtomReader(source, cut.bufferBytes);
    this.cut = cut;
  }

  /** OK, SKIP when the whole file can be sent, or FAULT. */
  run(): number {
    return this.atoms.readAtoms(this.atoms.source.sizeBytes, this.visit);
  }

  private readonly visit: Visit = (name, size) => {
    if (++this.count > MAX_FILE_ATOMS) return this.atoms.fault(`too many mp4 atoms in "${this.atoms.source.name}"`);
    if (name === FTYP) return this.readFtyp(size);
    if (name === MOOV) return this.readMovie(size);
    return name === MDAT ? this.readData(size) : undefined;
  };

  private readFtyp(size: number): number {
    const { atoms } = this;
    const { name } = atoms.source;
    if (size > MAX_FTYP_BYTES || atoms.offset + size > atoms.bufferEnd)
      return atoms.fault(`"${name}" mp4 ftyp atom is too large:${size}`);
    if (this.ftyp !== undefined) return atoms.fault(`duplicate mp4 ftyp atom in "${name}"`);
    const bytes = atoms.read(size);
    if (bytes === undefined) return FAULT;
    this.ftyp = new Uint8Array(HEAD_BYTES + size);
    this.ftyp.set(bytes, writeHead(this.ftyp, 0, this.ftyp.length, FTYP));
    atoms.offset += size;
    return OK;
  }

  private readMovie(size: number): number {
    const { atoms, cut } = this;
    const { name, sizeBytes } = atoms.source;
    const isFirst = this.dataEnd < 0;
    if (isFirst && cut.startMs === 0n && cut.lengthMs === 0n) return SKIP;
    if (this.movie !== undefined) return atoms.fault(`duplicate mp4 moov atom in "${name}"`);
    if (size > atoms.bufferBytes) {
      if (size > cut.maxBufferBytes)
        return atoms.fault(
          `"${name}" mp4 moov atom is too large:${size}, you may want to increase mp4_max_buffer_size`,
        );
      atoms.bufferEnd = 0;
      atoms.bufferBytes = size + (isFirst ? EXCESS_BYTES : 0);
    }
    const bytes = atoms.fill(size) ? atoms.read(size) : undefined;
    if (bytes === undefined) return FAULT;
    this.movie = new MovieReader(atoms, cut, bytes);
    const rc = this.movie.run();
    if (isFirst) {
      atoms.bufferBytes = EXCESS_BYTES;
      if (atoms.offset + EXCESS_BYTES > atoms.bufferEnd) atoms.bufferEnd = 0;
    } else atoms.offset = sizeBytes;
    return rc;
  }

  private readData(size: number): number {
    const { atoms } = this;
    if (this.dataEnd >= 0) return atoms.fault(`duplicate mp4 mdat atom in "${atoms.source.name}"`);
    this.dataEnd = atoms.offset + size;
    const hasTracks = this.movie !== undefined && this.movie.tracks.length > 0;
    atoms.offset = hasTracks ? atoms.source.sizeBytes : this.dataEnd;
    return OK;
  }
}
